#include "core/fault.h"

#include <strings.h>

#include <nlohmann/json.hpp>

#include "base/assert.h"
#include "base/limits.h"
#include "project/catalogue.h"
#include "wire/codec.h"

namespace hearth::core {

namespace {

using Json = nlohmann::ordered_json;
constexpr auto kReplace = Json::error_handler_t::replace;

std::string_view title(const Fault& fault) {
  const project::Diagnostic* known = project::find_diagnostic(fault.code);
  return known != nullptr ? known->title : "Not served";
}

// Titles and codes are the same for everyone who makes the same mistake: they give nothing away.
std::string public_message(const Fault& fault) {
  if (fault.in_the_open) return fault.message;
  return std::string(title(fault)) + ". The server's log says why, under this reference.";
}

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '&':
        html += "&amp;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

// An edit: each line as it stands, what goes and what comes in colour.
std::string diff_as_html(std::string_view diff) {
  std::string html;
  while (!diff.empty()) {
    const std::size_t end = std::min(diff.find('\n'), diff.size());
    const std::string line = escaped(diff.substr(0, end));
    const std::string_view element = line.starts_with('+')   ? "ins"
                                     : line.starts_with('-') ? "del"
                                                             : "";
    html += element.empty()
                ? line
                : "<" + std::string(element) + ">" + line + "</" + std::string(element) + ">";
    html += '\n';
    diff.remove_prefix(std::min(end + 1, diff.size()));
  }
  return html;
}

std::string page(const Fault& fault, Mode mode, std::string_view reference) {
  std::string html =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>" +
      escaped(title(fault)) +
      "</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:4rem auto;"
      "padding:0 "
      "1rem;color:#222;background:#fff}p{white-space:pre-line;overflow-wrap:anywhere}h1{font-size:"
      "1.4rem}code,pre{font:14px/1.5 "
      "ui-monospace,monospace}pre{background:#f4f2ee;padding:1rem;overflow:auto;border-radius:6px}"
      "ins,del{text-decoration:none}ins{color:#275}.code,del{color:#a33}@media(prefers-color-"
      "scheme:dark){body{color:#ddd;background:#1b1a18}"
      "pre{background:#26241f}.code,del{color:#f99}ins{color:#8c9}}</style><h1><span "
      "class=\"code\">" +
      escaped(fault.code) + "</span> " + escaped(title(fault)) + "</h1>";
  if (mode == Mode::kServe) {
    return html + "<p>" + escaped(public_message(fault)) + "</p><p>Reference: <code>" +
           escaped(reference) + "</code></p></html>\n";
  }
  html += "<p>" + escaped(fault.message) + "</p>";
  if (!fault.where.empty()) html += "<p>At <code>" + escaped(fault.where) + "</code></p>";
  if (fault.fix.find('\n') != std::string::npos) {
    html += "<pre>" + diff_as_html(fault.fix) + "</pre>";
  } else if (!fault.fix.empty()) {
    html += "<p>" + escaped(fault.fix) + "</p>";
  }
  if (!fault.stack.empty()) html += "<pre>" + escaped(fault.stack) + "</pre>";
  return html + "</html>\n";
}

Json as_json(const Fault& fault, Mode mode, std::string_view reference) {
  Json json;
  json["code"] = fault.code;
  if (mode == Mode::kServe) {
    json["message"] = public_message(fault);
    json["reference"] = reference;
    return json;
  }
  json["message"] = fault.message;
  if (!fault.where.empty()) json["where"] = fault.where;
  if (!fault.fix.empty()) json["fix"] = fault.fix;
  if (!fault.stack.empty()) json["stack"] = fault.stack;
  json["docs"] = project::docs_anchor(fault.code);
  return json;
}

void add_header(std::string& headers, std::string_view name, std::string_view value) {
  headers += name;
  headers += '\0';
  headers += value;
  headers += '\0';
}

}  // namespace

std::uint16_t Fault::close_code() const {
  if (close != 0) return close;
  // A class, a binding or an answer that the code gets wrong, it gets wrong every time.
  if (code == "B206" || code == "R403" || code == "R406") {
    return static_cast<std::uint16_t>(4000 + status);
  }
  if (status == 503) return 1013;
  if (status >= 500) return 1011;
  return static_cast<std::uint16_t>(4000 + status);
}

Fault fault_of(std::string_view code, std::uint16_t status, std::string message, std::string fix) {
  const project::Diagnostic* known = project::find_diagnostic(code);
  ASSERT(known != nullptr, "every fault is in the catalogue");
  return {.code = std::string(known->code),
          .status = status,
          .message = message.empty() ? std::string(known->cause) : std::move(message),
          .fix = fix.empty() ? std::string(known->cure) : std::move(fix)};
}

std::string log_text(const Fault& fault) {
  std::string text = fault.code + " " + fault.message;
  if (!fault.where.empty()) text += " (" + fault.where + ")";
  if (!fault.fix.empty()) text += "\n  " + fault.fix;
  if (!fault.stack.empty()) text += "\n" + fault.stack;
  return text;
}

Answer render(const Fault& fault, Mode mode, std::string_view accept, std::string_view reference) {
  Answer answer;
  const bool html = accept.find("text/html") != std::string_view::npos;
  if (html) {
    answer.body = page(fault, mode, reference);
  } else {
    Json json;
    json["error"] = as_json(fault, mode, reference);
    answer.body = json.dump(-1, ' ', false, kReplace) + "\n";
  }
  add_header(answer.headers, "content-type",
             html ? "text/html; charset=utf-8" : "application/json; charset=utf-8");
  add_header(answer.headers, "cache-control", "no-store");
  if (fault.retry_after_s > 0) {
    add_header(answer.headers, "retry-after", std::to_string(fault.retry_after_s));
  }
  return answer;
}

std::string request_fault_body(std::string_view code, std::string_view message) {
  return render(fault_of(code, 400, std::string(message)), Mode::kDev, {}, {}).body;
}

std::string render_frame(const Fault& fault, Mode mode, std::string_view reference) {
  Json inner = as_json(fault, mode, reference);
  Json json;
  json["error"] = inner["message"];
  inner.erase("message");
  json.update(inner);
  return json.dump(-1, ' ', false, kReplace);
}

std::string close_reason(const Fault& fault, Mode mode, std::string_view reference) {
  std::string reason = fault.code + ": ";
  reason += mode == Mode::kDev || fault.in_the_open
                ? fault.message
                : "see the server's log, " + std::string(reference);
  // The place goes where there is room for it and the message does not tell it.
  const std::string place = " (" + fault.where + ")";
  if (mode == Mode::kDev && !fault.where.empty() && reason.find(fault.where) == std::string::npos &&
      reason.size() + place.size() <= kWebSocketCloseReasonBytesMax) {
    reason += place;
  }
  if (reason.size() <= kWebSocketCloseReasonBytesMax) return reason;
  std::size_t size = kWebSocketCloseReasonBytesMax - 3;
  while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0) == 0x80) --size;
  return reason.substr(0, size) + "...";
}

Fault fault_from_json(std::string_view json, Fault fault) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) {
    if (!json.empty()) fault.message = json;
    return fault;
  }
  const auto text = [&](const char* key, std::string& target) {
    const auto found = parsed.find(key);
    if (found != parsed.end() && found->is_string()) target = found->get<std::string>();
  };
  // Another code has another cure; what is in no catalogue is not taken.
  std::string code;
  text("code", code);
  if (const project::Diagnostic* known = project::find_diagnostic(code)) {
    if (fault.code != known->code) fault.fix = known->cure;
    fault.code = known->code;
  }
  text("message", fault.message);
  text("where", fault.where);
  text("fix", fault.fix);
  text("stack", fault.stack);
  fault.stack = own_frames(fault.stack);
  const auto status = parsed.find("status");
  if (status != parsed.end() && status->is_number_integer()) {
    const auto value = status->get<std::int64_t>();
    if (value >= 400 && value <= 599) fault.status = static_cast<std::uint16_t>(value);
  }
  return fault;
}

std::string own_frames(std::string_view stack) {
  const auto foreign = [](std::string_view line) {
    return line.find("(node:") != std::string_view::npos ||
           line.find(" node:") != std::string_view::npos ||
           line.find("/host/runtime/src/") != std::string_view::npos ||
           line.find("/host/host.mjs:") != std::string_view::npos;
  };
  std::string own;
  for (std::string_view rest = stack; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    const bool frame = line.find("    at ") == 0;
    if (!frame || !foreign(line)) {
      own += own.empty() ? "" : "\n";
      own += line;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return own;
}

std::string_view header_value(std::string_view headers, std::string_view name) {
  std::string_view value;
  std::string_view key;
  bool at_key = true;
  wire::for_each_entry(headers, [&](std::string_view entry) {
    if (at_key) {
      key = entry;
    } else if (value.empty() && key.size() == name.size() &&
               ::strncasecmp(key.data(), name.data(), name.size()) == 0) {
      value = entry;
    }
    at_key = !at_key;
  });
  return value;
}

}  // namespace hearth::core
