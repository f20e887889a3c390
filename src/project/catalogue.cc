#include "project/catalogue.h"

#include <algorithm>
#include <array>

namespace hearth::project {
namespace {

constexpr auto kDiagnostics = std::to_array<Diagnostic>({
#define HEARTH_DIAGNOSTIC(code, title, cause, cure) {#code, title, cause, cure},
#include "project/catalogue.def"
#undef HEARTH_DIAGNOSTIC
});

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string_view moment(char letter) {
  switch (letter) {
    case 'C':
      return "The configuration";
    case 'B':
      return "The bundle and the code";
    case 'S':
      return "The start";
    case 'P':
      return "A server seen from outside";
    default:
      return "Requests";
  }
}

// The faults that a host tells a client itself, in a frame on its socket, or marks an error with.
constexpr std::string_view kOfTheRuntime[] = {"B206", "R401", "R403", "R404", "R405", "R406",
                                              "R407", "R412", "R413", "R414", "R415", "R418"};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::span<const Diagnostic> all_diagnostics() {
  return kDiagnostics;
}

const Diagnostic* find_diagnostic(std::string_view code) {
  const auto same = [&](const Diagnostic& each) {
    return std::equal(each.code.begin(), each.code.end(), code.begin(), code.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
  };
  const auto found = std::find_if(kDiagnostics.begin(), kDiagnostics.end(), same);
  return found == kDiagnostics.end() ? nullptr : &*found;
}

std::string docs_anchor(std::string_view code) {
  std::string anchor = "docs/diagnostics.md#";
  for (char c : code) anchor += lower(c);
  return anchor;
}

std::string explain(const Diagnostic& diagnostic) {
  return std::string(diagnostic.code) + "  " + std::string(diagnostic.title) +
         "\n\n  Cause: " + std::string(diagnostic.cause) +
         "\n  Cure:  " + std::string(diagnostic.cure) +
         "\n\n  More:  " + docs_anchor(diagnostic.code) + "\n";
}

std::string diagnostics_as_markdown() {
  std::string out;
  char letter = 0;
  for (const Diagnostic& each : kDiagnostics) {
    if (each.code[0] != letter) {
      letter = each.code[0];
      out += "## " + std::string(moment(letter)) + "\n\n";
    }
    out += "### " + std::string(each.code) + "\n**" + std::string(each.title) + ".** " +
           std::string(each.cause) + "\n\n" + std::string(each.cure) + "\n\n";
  }
  return out;
}

std::string diagnostics_as_typescript() {
  std::string out =
      "// Made from src/project/catalogue.def, by the test that compares the two:\n"
      "//   HEARTH_UPDATE_DOCS=1 build/dev/bin/project_test --gtest_filter=Catalogue.*\n"
      "\nexport const catalogue = {\n";
  for (const std::string_view code : kOfTheRuntime) {
    const Diagnostic& each = *find_diagnostic(code);
    out += "  " + std::string(each.code) + ": {\n    title: " + quoted(each.title) +
           ",\n    cause: " + quoted(each.cause) + ",\n    cure: " + quoted(each.cure) +
           ",\n  },\n";
  }
  return out + "} as const;\n\nexport type FaultCode = keyof typeof catalogue;\n";
}

}  // namespace hearth::project
