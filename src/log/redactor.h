// Takes the project's secrets out of what is logged: each occurrence of a value becomes
// "[NAME redacted]". A value is looked for as it is, as JSON, util.inspect and URLs write it, and
// each longer line of one with several lines by itself. Values under kSecretBytesMin are left: they
// would be found everywhere. Values once known stay known, as code that was reloaded may still hold
// them. Loop thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "log/record.h"

namespace hearth::log {

struct Secret {
  std::string name;
  std::string value;
};

// From the worker document: every secret (`.dev.vars`, `.env`), the key of `env.AI`, and vars whose
// name says that they are one.
std::vector<Secret> secrets_of(std::string_view worker_json);
// Whether a var of this name is taken for a secret.
bool names_a_secret(std::string_view name);

class Redactor {
 public:
  static constexpr std::size_t kSecretBytesMin = 6;
  static constexpr std::size_t kSecretLineBytesMin = 16;  // of a value with several lines
  static constexpr std::size_t kNeedlesMax = 2'000;       // beyond: those of before are forgotten

  void add(const std::vector<Secret>& secrets);
  void redact(std::string& text) const;
  // Every text of the record; at a cut also the beginning of a secret that it ends with, and of a
  // line that came in parts what a part has of a secret.
  void redact(LogRecord& record) const;
  bool empty() const { return needles_.empty(); }

 private:
  struct Needle {
    std::string text;
    std::string shown;
  };
  void add_needle(const std::string& text, const std::string& name);
  void redact_end(std::string& text) const;
  void redact_start(std::string& text) const;
  void redact_inside(std::string& text) const;

  std::vector<Needle> needles_;  // the longest first
};

}  // namespace hearth::log
