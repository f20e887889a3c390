#include "arguments.h"

#include <cmath>
#include <optional>
#include <string>

#include "database.h"
#include "host.h"
#include "wire/agent_ids.h"
#include "wrapped.h"

namespace hearth::addon {

namespace {

// Below this many UTF-16 units room for the worst case (three bytes each) is taken, which saves a
// pass over the string to measure it.
constexpr std::size_t kMeasureAboveUnits = 8 * 1024;

}  // namespace

bool decode_string(napi_env env, napi_value value, Arena& arena, std::string_view& text) {
  std::size_t room = 0;  // in UTF-16 units first: this query is O(1)
  if (napi_get_value_string_latin1(env, value, nullptr, 0, &room) != napi_ok) return false;
  if (room > kMeasureAboveUnits) {
    napi_get_value_string_utf8(env, value, nullptr, 0, &room);
  } else {
    room *= 3;
  }
  char* start = arena.take(room + 1);
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, start, room + 1, &length) != napi_ok) return false;
  arena.trim(start, length);
  text = {start, length};
  return true;
}

bool view_bytes(napi_env env, napi_value value, std::string_view& bytes) {
  void* data = nullptr;
  std::size_t length = 0;
  bool is = false;
  if (napi_is_typedarray(env, value, &is) == napi_ok && is) {
    napi_typedarray_type type;
    napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
    switch (type) {
      case napi_int16_array:
      case napi_uint16_array:
        length *= 2;
        break;
      case napi_int32_array:
      case napi_uint32_array:
      case napi_float32_array:
        length *= 4;
        break;
      case napi_float64_array:
      case napi_bigint64_array:
      case napi_biguint64_array:
        length *= 8;
        break;
      default:
        break;
    }
  } else if (napi_is_arraybuffer(env, value, &is) == napi_ok && is) {
    napi_get_arraybuffer_info(env, value, &data, &length);
  } else if (napi_is_dataview(env, value, &is) == napi_ok && is) {
    napi_get_dataview_info(env, value, &length, &data, nullptr, nullptr);
  } else {
    return false;
  }
  bytes = {static_cast<const char*>(data), data == nullptr ? 0 : length};
  return true;
}

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  count_ = kMax;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count_, values_.data(), &self_, &data);
  host_ = static_cast<Host*>(data);
}

Arguments::~Arguments() {
  host_->arena().reset();
}

void Arguments::fail(std::size_t index, const char* expected) {
  refuse(("argument " + std::to_string(index + 1) + " is to be " + expected).c_str());
}

void Arguments::refuse(const char* message) {
  if (!ok_) return;
  ok_ = false;
  napi_throw_type_error(env_, nullptr, message);
}

bool Arguments::absent(std::size_t index) const {
  napi_valuetype type = napi_undefined;
  napi_typeof(env_, values_[index], &type);
  return type == napi_undefined || type == napi_null;
}

std::uint64_t Arguments::number(std::size_t index, std::uint64_t max) {
  double value = 0;
  if (!ok_) return 0;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok || !(value >= 0) ||
      value > static_cast<double>(max) || value != std::floor(value)) {
    fail(index, "a whole number in range");
    return 0;
  }
  return static_cast<std::uint64_t>(value);
}

std::int64_t Arguments::signed_number(std::size_t index) {
  constexpr double kLimit = 9007199254740991.0;
  double value = 0;
  if (!ok_) return 0;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok ||
      !(std::fabs(value) <= kLimit)) {
    fail(index, "a whole number");
    return 0;
  }
  return static_cast<std::int64_t>(value);
}

std::string_view Arguments::text(std::size_t index) {
  std::string_view result;
  if (ok_ && !decode_string(env_, values_[index], host_->arena(), result)) fail(index, "a string");
  return result;
}

std::string_view Arguments::text_or_null(std::size_t index) {
  return absent(index) ? std::string_view{} : text(index);
}

std::string_view Arguments::bytes(std::size_t index) {
  std::string_view result;
  if (ok_ && !view_bytes(env_, values_[index], result)) {
    fail(index, "an ArrayBuffer or a view of one");
  }
  return result;
}

std::string_view Arguments::bytes_or_null(std::size_t index) {
  return absent(index) ? std::string_view{} : bytes(index);
}

std::string_view Arguments::text_or_bytes(std::size_t index, bool& is_text) {
  std::string_view result;
  is_text = ok_ && decode_string(env_, values_[index], host_->arena(), result);
  if (ok_ && !is_text && !view_bytes(env_, values_[index], result)) {
    fail(index, "a string, an ArrayBuffer or a view of one");
  }
  return result;
}

AgentId Arguments::agent(std::size_t index) {
  AgentId id;
  id.name_space = integer<std::uint16_t>(index);
  const std::string_view hex = text(index + 1);
  if (!ok_) return id;
  if (const std::optional<wire::AgentIdBytes> bytes = wire::parse_agent_id(hex)) {
    id.bytes = *bytes;
  } else {
    fail(index + 1, "64 hex digits");
  }
  return id;
}

Database* Arguments::gate(std::size_t index) {
  if (!ok_ || absent(index)) return nullptr;
  Database* database = unwrap<Database>(env_, values_[index]);
  if (database == nullptr) fail(index, "a Database or null");
  return database;
}

}  // namespace hearth::addon
