#include "log/redactor.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

namespace hearth::log {
namespace {

using Json = nlohmann::json;

// At a cut, fewer bytes of a secret's beginning than this are no help to anyone.
constexpr std::size_t kSecretPrefixBytesMin = 4;
// Of a stack that a host cut, which it does not say.
constexpr std::size_t kCutStackBytes = 16 * 1024;
// A var is less surely a secret than what .dev.vars holds.
constexpr std::size_t kSecretVarBytesMin = 8;

std::string json_form(const std::string& value) {
  const std::string quoted = Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

// As util.inspect writes it: it picks the quotes that need no escape, or escapes the single ones.
std::string inspected_form(const std::string& value, bool quotes_escaped) {
  std::string out;
  const std::string json = json_form(value);
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '\\' && i + 1 < json.size() && json[i + 1] == '"') continue;
    if (json[i] == '\\') out += json[i++];
    if (json[i] == '\'' && quotes_escaped) out += '\\';
    out += json[i];
  }
  return out;
}

// As encodeURIComponent does.
std::string url_form(const std::string& value) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  constexpr std::string_view kKept = "-_.!~*'()";
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || kKept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

// "apiKey" and "API_KEY" as "API_KEY".
std::string words_of(std::string_view name) {
  std::string out;
  bool lower_before = false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (lower_before && std::isupper(byte) != 0) out += '_';
    lower_before = std::islower(byte) != 0 || std::isdigit(byte) != 0;
    out += c == '-' ? '_' : static_cast<char>(std::toupper(byte));
  }
  return "_" + out + "_";
}

bool is_number(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == '-'; });
}

}  // namespace

bool names_a_secret(std::string_view name) {
  constexpr std::array<std::string_view, 13> kWords{
      "SECRET",     "SECRETS", "TOKEN",       "PASSWORD", "PASSWD",      "PASSPHRASE", "APIKEY",
      "CREDENTIAL", "PWD",     "CREDENTIALS", "PAT",      "PRIVATE_KEY", "KEY"};
  const std::string words = words_of(name);
  const bool named = std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
    return words.find("_" + std::string(word) + "_") != std::string::npos;
  });
  return named && words.find("_PUBLIC_") == std::string::npos;
}

std::vector<Secret> secrets_of(std::string_view worker_json) {
  std::vector<Secret> out;
  const Json document = Json::parse(worker_json, nullptr, false);
  if (!document.is_object()) return out;
  const auto add = [&](const std::string& name, const Json& value) {
    if (value.is_string()) out.push_back({name, value.get<std::string>()});
  };
  for (const Json& binding : document.value("bindings", Json::array())) {
    const std::string type = binding.value("type", "");
    const std::string name = binding.value("name", "");
    if (!binding.contains("value")) continue;
    const Json& value = binding["value"];
    if (type == "secret") add(name, value);
    if (type != "var" || !names_a_secret(name) || !value.is_string()) continue;
    const std::string text = value.get<std::string>();
    if (text.size() >= kSecretVarBytesMin && !is_number(text)) add(name, value);
  }
  if (const auto ai = document.find("ai"); ai != document.end() && ai->is_object()) {
    add(ai->value("keyName", "") == "" ? "env.AI's key" : ai->value("keyName", ""),
        ai->value("key", Json()));
  }
  return out;
}

void Redactor::add_needle(const std::string& text, const std::string& name) {
  if (text.size() < kSecretBytesMin) return;
  const auto known = std::any_of(needles_.begin(), needles_.end(),
                                 [&](const Needle& each) { return each.text == text; });
  if (!known) needles_.push_back({text, "[" + name + " redacted]"});
}

void Redactor::add(const std::vector<Secret>& secrets) {
  if (needles_.size() > kNeedlesMax) needles_.clear();
  for (const Secret& each : secrets) {
    add_needle(each.value, each.name);
    add_needle(json_form(each.value), each.name);
    add_needle(inspected_form(each.value, false), each.name);
    add_needle(inspected_form(each.value, true), each.name);
    add_needle(url_form(each.value), each.name);
    if (each.value.find('\n') == std::string::npos) continue;
    for (std::size_t at = 0; at < each.value.size();) {
      const std::size_t end = std::min(each.value.find('\n', at), each.value.size());
      std::string line = each.value.substr(at, end - at);
      if (line.ends_with('\r')) line.pop_back();
      if (line.size() >= kSecretLineBytesMin) add_needle(line, each.name);
      at = end + 1;
    }
  }
  // A secret that contains another goes first, or its rest would stay.
  std::stable_sort(needles_.begin(), needles_.end(),
                   [](const Needle& a, const Needle& b) { return a.text.size() > b.text.size(); });
}

void Redactor::redact(std::string& text) const {
  for (const Needle& needle : needles_) {
    std::size_t at = text.find(needle.text);
    while (at != std::string::npos) {
      text.replace(at, needle.text.size(), needle.shown);
      at = text.find(needle.text, at + needle.shown.size());
    }
  }
}

void Redactor::redact_end(std::string& text) const {
  for (const Needle& needle : needles_) {
    const std::size_t most = std::min(needle.text.size() - 1, text.size());
    for (std::size_t size = most; size >= kSecretPrefixBytesMin; --size) {
      if (!text.ends_with(std::string_view(needle.text).substr(0, size))) continue;
      text.replace(text.size() - size, size, needle.shown);
      return;
    }
  }
}

void Redactor::redact_start(std::string& text) const {
  for (const Needle& needle : needles_) {
    const std::string_view whole = needle.text;
    const std::size_t most = std::min(whole.size() - 1, text.size());
    for (std::size_t size = most; size >= kSecretPrefixBytesMin; --size) {
      if (!text.starts_with(whole.substr(whole.size() - size))) continue;
      text.replace(0, size, needle.shown);
      return;
    }
  }
}

// All of it is part of a secret.
void Redactor::redact_inside(std::string& text) const {
  if (text.size() < kSecretPrefixBytesMin) return;
  for (const Needle& needle : needles_) {
    if (needle.text.find(text) == std::string::npos) continue;
    text = needle.shown;
    return;
  }
}

void Redactor::redact(LogRecord& record) const {
  if (needles_.empty()) return;
  if (record.partial && record.continued) redact_inside(record.message);
  for (std::string* text :
       {&record.message, &record.agent, &record.what, &record.where, &record.fix, &record.stack}) {
    redact(*text);
  }
  if (record.cut > 0 || record.partial) redact_end(record.message);
  if (record.continued) redact_start(record.message);
  if (record.stack.size() >= kCutStackBytes) redact_end(record.stack);
}

}  // namespace hearth::log
