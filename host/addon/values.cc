#include "values.h"

#include <cstdint>
#include <cstring>

namespace hearth::addon {

bool is_ascii(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, text.data(), sizeof word);
    if ((word & kHighBits) != 0) return false;
    text.remove_prefix(sizeof word);
  }
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

napi_value make_ascii(napi_env env, std::string_view text) {
  napi_value value = nullptr;
  napi_create_string_latin1(env, text.data() == nullptr ? "" : text.data(), text.size(), &value);
  return value;
}

napi_value make_text(napi_env env, std::string_view text) {
  if (is_ascii(text)) return make_ascii(env, text);
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

napi_value make_number(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

napi_value make_boolean(napi_env env, bool boolean) {
  napi_value value = nullptr;
  napi_get_boolean(env, boolean, &value);
  return value;
}

napi_value make_null(napi_env env) {
  napi_value value = nullptr;
  napi_get_null(env, &value);
  return value;
}

napi_value make_undefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

napi_value make_array_buffer(napi_env env, std::string_view bytes) {
  void* data = nullptr;
  napi_value value = nullptr;
  if (napi_create_arraybuffer(env, bytes.size(), &data, &value) != napi_ok) return nullptr;
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  return value;
}

napi_value make_bytes(napi_env env, std::string_view bytes) {
  napi_value buffer = make_array_buffer(env, bytes);
  napi_value value = nullptr;
  napi_create_typedarray(env, napi_uint8_array, bytes.size(), buffer, 0, &value);
  return value;
}

}  // namespace hearth::addon
