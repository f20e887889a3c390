// The nearest of some names to one that was mistyped: for "did you mean". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::project {

// The candidate within a third of the name's length (at least 1) by edit distance, letter case
// aside.
std::optional<std::string> nearest(std::string_view name,
                                   const std::vector<std::string>& candidates);

}  // namespace hearth::project
