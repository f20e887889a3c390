// Collects what is wrong with one configuration, and the checks of shape that most keys need.
// Errors stop the start, warnings do not; each is one sentence that begins with its place and ends
// with its code of the catalogue: `wrangler.jsonc:4:7: "main" is a number, expected a string
// (C104)`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "project/finding.h"
#include "project/value.h"

namespace hearth::project {

class Findings {
 public:
  explicit Findings(std::filesystem::path file) : file_(std::move(file)) {}

  // `subject` is what the finding is about (a class, a binding), `wanted` what should stand at its
  // place instead; edits are made from them (config_edits.h).
  void error(Position at, std::string_view message, std::string_view code);
  void warn(Position at, std::string_view message, std::string_view code,
            std::string_view subject = {}, std::string_view wanted = {});

  // Of another file as a whole.
  void warn_of(const std::filesystem::path& file, std::string_view message, std::string_view code);

  // In the order in which they were found.
  const std::vector<Finding>& all() const { return all_; }
  bool has_faults() const;

  // The value if it has the kind, else null and an error (none if it is absent).
  // `path` names it for people: "durable_objects.bindings[0].name".
  const Value* expect(const Value* value, Value::Kind kind, const std::string& path);
  std::optional<std::string> text(const Value& object, std::string_view key,
                                  const std::string& path);
  // As text(), and absence is an error too.
  std::optional<std::string> required_text(const Value& object, std::string_view key,
                                           const std::string& path, std::string_view shape);
  bool flag(const Value& object, std::string_view key, const std::string& path, bool otherwise);
  std::vector<std::string> texts(const Value& object, std::string_view key,
                                 const std::string& path);

  // Warns of members that are not in `known` (C103).
  void unknown_members(const Value& object, const std::string& path,
                       const std::vector<std::string>& known);

 private:
  std::filesystem::path file_;
  std::vector<Finding> all_;
};

}  // namespace hearth::project
