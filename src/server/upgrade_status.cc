#include "server/upgrade_status.h"

#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "os/files.h"

namespace hearth::server {

namespace {
using Json = nlohmann::ordered_json;
constexpr const char* kRequest = "upgrade-request.json";
constexpr const char* kStatus = "upgrade.json";

void replace(const std::filesystem::path& path, const Json& json) {
  const std::filesystem::path draft = path.string() + "." + std::to_string(::getpid());
  std::error_code ignored;
  {
    std::ofstream out(draft, std::ios::binary | std::ios::trunc);
    out << json.dump() << "\n";
    if (!out.flush()) {
      std::filesystem::remove(draft, ignored);
      return;
    }
  }
  std::filesystem::rename(draft, path, ignored);
}

std::optional<Json> read(const std::filesystem::path& path) {
  const auto text = os::read_file(path);
  if (!text) return std::nullopt;
  Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <typename Number>
Number number_of(const Json& json, const char* key, Number otherwise) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<Number>() : otherwise;
}
}  // namespace

void write_request(const std::filesystem::path& state, const UpgradeRequest& request) {
  replace(state / kRequest, Json{{"id", request.id},
                                 {"binary", request.binary.string()},
                                 {"waitSeconds", request.wait_s}});
}

std::optional<UpgradeRequest> take_request(const std::filesystem::path& state) {
  const auto json = read(state / kRequest);
  std::error_code ignored;
  std::filesystem::remove(state / kRequest, ignored);
  if (!json) return std::nullopt;
  return UpgradeRequest{text_of(*json, "id"), text_of(*json, "binary"),
                        number_of(*json, "waitSeconds", UpgradeRequest{}.wait_s)};
}

void write_status(const std::filesystem::path& state, const UpgradeStatus& status) {
  replace(state / kStatus, Json{{"id", status.id},
                                {"phase", status.phase},
                                {"message", status.message},
                                {"process", status.process}});
}

std::optional<UpgradeStatus> read_status(const std::filesystem::path& state) {
  const auto json = read(state / kStatus);
  if (!json) return std::nullopt;
  return UpgradeStatus{text_of(*json, "id"), text_of(*json, "phase"), text_of(*json, "message"),
                       number_of(*json, "process", 0)};
}

}  // namespace hearth::server
