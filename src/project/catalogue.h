// The catalogue of diagnostics (catalogue.def): what each code means, why it happens and what mends
// it. The log, the answers to clients, `hearth doctor`, `hearth explain` and docs/diagnostics.md
// are all made from it. Constant data; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hearth::project {

struct Diagnostic {
  std::string_view code;   // "C107"
  std::string_view title;  // a few words, without a full stop
  std::string_view cause;
  std::string_view cure;
};

std::span<const Diagnostic> all_diagnostics();
// In any letter case; null when there is none.
const Diagnostic* find_diagnostic(std::string_view code);
// "docs/diagnostics.md#c107", as answers refer to it.
std::string docs_anchor(std::string_view code);
// What `hearth explain CODE` prints.
std::string explain(const Diagnostic& diagnostic);
// The catalogue's part of docs/diagnostics.md.
std::string diagnostics_as_markdown();
// What the host's runtime words itself (host/runtime/src/faults/catalogue.ts).
std::string diagnostics_as_typescript();

}  // namespace hearth::project
