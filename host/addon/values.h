// JavaScript values made from native ones. Text that is all ASCII becomes a one-byte string, which
// V8 makes several times faster than from UTF-8; bytes are always copied (an external buffer costs
// more than the copy of any message that crosses here).
#pragma once

#include <node_api.h>

#include <string_view>

namespace hearth::addon {

bool is_ascii(std::string_view text);

napi_value make_ascii(napi_env env, std::string_view text);
napi_value make_text(napi_env env, std::string_view text);
napi_value make_number(napi_env env, double value);
napi_value make_boolean(napi_env env, bool value);
napi_value make_null(napi_env env);
napi_value make_undefined(napi_env env);
napi_value make_array_buffer(napi_env env, std::string_view bytes);
napi_value make_bytes(napi_env env, std::string_view bytes);

}  // namespace hearth::addon
