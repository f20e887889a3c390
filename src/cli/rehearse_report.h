// What `hearth deploy --rehearse` says of the server's answer (server/rehearse_api.h). Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace hearth::cli {

std::string rehearsal_text(const nlohmann::ordered_json& report);

}  // namespace hearth::cli
