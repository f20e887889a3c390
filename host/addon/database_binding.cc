// Database of addon.ts, method by method.
#include <cmath>
#include <cstdint>
#include <vector>

#include "arguments.h"
#include "cursor.h"
#include "database.h"
#include "host.h"
#include "values.h"

namespace hearth::addon {

namespace {

// One call of a method: its arguments and the database that it is called on.
class Call {
 public:
  Call(napi_env env, napi_callback_info info)
      : arguments(env, info), database_(unwrap<Database>(env, arguments.self())) {
    if (database_ == nullptr) {
      arguments.refuse("this method is of a Database");
    } else if (database_->failure()) {
      const std::string message = *database_->failure();
      napi_throw_error(env, nullptr, message.c_str());
      usable_ = false;
    }
  }

  // Arguments are right and the database can be used; otherwise an exception is pending.
  bool ok() const { return usable_ && arguments.ok(); }
  Database& database() const { return *database_; }
  storage::AgentDatabase& store() const { return database_->store(); }
  Host& host() const { return arguments.host(); }
  napi_env env() const { return arguments.env(); }

  // Throws what went wrong; also notes that the turn may have written.
  bool settle(const Status& status) {
    database_->touched();
    if (status) return true;
    napi_value message = make_text(env(), status.error().message);
    napi_value error = nullptr;
    napi_create_error(env(), nullptr, message, &error);
    napi_throw(env(), error);
    return false;
  }
  template <typename T>
  bool settle(const Result<T>& result) {
    return settle(result.ok() ? Status() : Status(result.error()));
  }

  Arguments arguments;

 private:
  Database* database_;
  bool usable_ = true;
};

napi_value get(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const std::string_view key = call.ok() ? call.arguments.text(0) : std::string_view{};
  if (!call.ok()) return nullptr;
  napi_value value = nullptr;
  const Result<bool> found =
      call.store().get(key, [&](std::string_view bytes) { value = make_bytes(env, bytes); });
  call.settle(found);
  return value;
}

napi_value put(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.ok()) return nullptr;
  const std::string_view key = call.arguments.text(0);
  const std::string_view value = call.arguments.bytes(1);
  if (call.ok()) call.settle(call.store().put(key, value));
  return nullptr;
}

napi_value remove(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.ok()) return nullptr;
  const std::string_view key = call.arguments.text(0);
  if (!call.ok()) return nullptr;
  const Result<bool> removed = call.store().remove(key);
  return call.settle(removed) ? make_boolean(env, *removed) : nullptr;
}

// A string property of `options`, left out when undefined.
bool read_option(Call& call, napi_value options, const char* name,
                 std::optional<std::string_view>& option) {
  napi_value value = nullptr;
  napi_valuetype type = napi_undefined;
  if (napi_get_named_property(call.env(), options, name, &value) != napi_ok) return false;
  napi_typeof(call.env(), value, &type);
  if (type == napi_undefined || type == napi_null) return true;
  std::string_view text;
  if (!decode_string(call.env(), value, call.host().arena(), text)) {
    call.arguments.refuse("list: start, startAfter, end and prefix are to be strings");
    return false;
  }
  option = text;
  return true;
}

bool read_list_options(Call& call, napi_value value, storage::ListOptions& options) {
  napi_valuetype type = napi_undefined;
  napi_typeof(call.env(), value, &type);
  if (type == napi_undefined) return true;
  if (type != napi_object) {
    call.arguments.fail(0, "an object");
    return false;
  }
  if (!read_option(call, value, "start", options.start) ||
      !read_option(call, value, "startAfter", options.start_after) ||
      !read_option(call, value, "end", options.end) ||
      !read_option(call, value, "prefix", options.prefix)) {
    return false;
  }
  napi_value property = nullptr;
  if (napi_get_named_property(call.env(), value, "reverse", &property) != napi_ok) return false;
  napi_coerce_to_bool(call.env(), property, &property);
  napi_get_value_bool(call.env(), property, &options.reverse);
  if (napi_get_named_property(call.env(), value, "limit", &property) != napi_ok) return false;
  napi_typeof(call.env(), property, &type);
  if (type == napi_undefined) return true;
  double limit = 0;
  if (napi_get_value_double(call.env(), property, &limit) != napi_ok || !(limit > 0)) {
    call.arguments.refuse("List limit must be positive.");
    return false;
  }
  if (limit < 0x1p53) options.limit = static_cast<std::uint64_t>(limit);
  return true;
}

napi_value list(napi_env env, napi_callback_info info) {
  Call call(env, info);
  storage::ListOptions options;
  if (!call.ok() || !read_list_options(call, call.arguments.value(0), options)) return nullptr;
  napi_value result = nullptr;
  napi_create_array(env, &result);
  std::uint32_t count = 0;
  const Status status =
      call.store().list(options, [&](std::string_view key, std::string_view value) {
        napi_handle_scope scope = nullptr;
        napi_open_handle_scope(env, &scope);
        napi_value pair = nullptr;
        napi_create_array_with_length(env, 2, &pair);
        napi_set_element(env, pair, 0, make_text(env, key));
        napi_set_element(env, pair, 1, make_bytes(env, value));
        napi_set_element(env, result, count++, pair);
        napi_close_handle_scope(env, scope);
      });
  return call.settle(status) ? result : nullptr;
}

napi_value delete_all(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.ok()) return nullptr;
  bool alarm = false;
  if (napi_get_value_bool(env, call.arguments.value(0), &alarm) != napi_ok) {
    call.arguments.fail(0, "a boolean");
    return nullptr;
  }
  if (alarm) call.database().alarm_touched();
  call.settle(call.store().delete_all(alarm));
  return nullptr;
}

// A JavaScript value as a parameter of SQL. What is neither null, number, string nor bytes is
// turned into a string, as the platform does; BigInts and Symbols are refused with its words.
bool read_parameter(Call& call, napi_value value, storage::Parameter& parameter) {
  const napi_env env = call.env();
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  switch (type) {
    case napi_undefined:
    case napi_null:
      parameter = std::monostate();
      return true;
    case napi_number: {
      double number = 0;
      napi_get_value_double(env, value, &number);
      parameter = number;
      return true;
    }
    case napi_bigint:
      call.arguments.refuse("Cannot convert a BigInt value to a number");
      return false;
    case napi_object: {
      storage::Blob blob;
      if (view_bytes(env, value, blob.bytes)) {
        parameter = blob;
        return true;
      }
      break;
    }
    default:
      break;
  }
  std::string_view text;
  if (type != napi_string && napi_coerce_to_string(env, value, &value) != napi_ok) return false;
  if (!decode_string(env, value, call.host().arena(), text)) return false;
  parameter = text;
  return true;
}

napi_value exec(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.ok()) return nullptr;
  const std::string_view sql = call.arguments.text(0);
  std::uint32_t count = 0;
  if (call.ok() && napi_get_array_length(env, call.arguments.value(1), &count) != napi_ok) {
    call.arguments.fail(1, "an array");
  }
  if (!call.ok()) return nullptr;
  std::vector<storage::Parameter> parameters(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    napi_value value = nullptr;
    napi_get_element(env, call.arguments.value(1), i, &value);
    if (!read_parameter(call, value, parameters[i])) return nullptr;
  }
  Result<storage::AgentDatabase::Execution> execution = call.store().exec(sql, parameters);
  if (!call.settle(execution)) return nullptr;
  return call.host().cursors().make(std::move(*execution));
}

napi_value database_size(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.ok()) return nullptr;
  const Result<std::int64_t> size = call.store().size_bytes();
  return call.settle(size) ? make_number(env, static_cast<double>(*size)) : nullptr;
}

napi_value get_alarm(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.ok()) return nullptr;
  const Result<std::optional<std::int64_t>> alarm = call.store().alarm();
  if (!call.settle(alarm)) return nullptr;
  return *alarm ? make_number(env, static_cast<double>(**alarm)) : make_null(env);
}

napi_value set_alarm(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (!call.ok()) return nullptr;
  std::optional<std::int64_t> at_ms;
  if (!call.arguments.absent(0)) at_ms = call.arguments.signed_number(0);
  if (!call.ok()) return nullptr;
  call.database().alarm_touched();
  call.settle(call.store().set_alarm(at_ms));
  return nullptr;
}

template <Status (storage::AgentDatabase::*kMethod)()>
napi_value transaction(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.ok()) call.settle((call.store().*kMethod)());
  return nullptr;
}

// These work on a database that has failed too: it is how the runtime cleans up.
napi_value durable(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Database* database = unwrap<Database>(env, arguments.self());
  return make_boolean(env, database != nullptr && !database->failure() && database->durable());
}

napi_value when_durable(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* database = unwrap<Database>(env, arguments.self());
  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments.value(0), &type);
  if (database == nullptr) {
    arguments.refuse("this method is of a Database");
  } else if (type != napi_function) {
    arguments.fail(0, "a function");
  } else {
    database->when_durable(arguments.value(0));
  }
  return nullptr;
}

// The last argument, when it is a function.
bool read_callback(Call& call, int index, napi_value* callback) {
  if (!call.ok()) return false;
  *callback = call.arguments.value(index);
  napi_valuetype type = napi_undefined;
  napi_typeof(call.env(), *callback, &type);
  if (type != napi_function) call.arguments.fail(index, "a function");
  return type == napi_function;
}

napi_value bookmark(napi_env env, napi_callback_info info) {
  Call call(env, info);
  napi_value callback = nullptr;
  if (read_callback(call, 0, &callback)) call.database().bookmark(callback);
  return nullptr;
}

napi_value bookmark_at(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const std::int64_t time_ms = call.ok() ? call.arguments.signed_number(0) : 0;
  napi_value callback = nullptr;
  if (read_callback(call, 1, &callback)) call.database().bookmark_at(time_ms, callback);
  return nullptr;
}

napi_value restore_next(napi_env env, napi_callback_info info) {
  Call call(env, info);
  std::string wanted(call.ok() ? call.arguments.text(0) : std::string_view{});
  napi_value callback = nullptr;
  if (read_callback(call, 1, &callback)) call.database().restore_next(std::move(wanted), callback);
  return nullptr;
}

template <void (Database::*kMethod)()>
napi_value cleanup(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (Database* database = unwrap<Database>(env, arguments.self())) {
    (database->*kMethod)();
  } else {
    arguments.refuse("this method is of a Database");
  }
  return nullptr;
}

napi_value construct(napi_env env, napi_callback_info info) {
  napi_value self = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, &self, nullptr);
  return self;
}

napi_value open_database(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database::Options options;
  options.id = arguments.agent(0);
  options.path = arguments.text(2);
  if (!arguments.ok()) return nullptr;
  napi_value name = nullptr;
  napi_value durability = nullptr;
  std::string_view text;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments.value(3), &type);
  if (type != napi_object ||
      napi_get_named_property(env, arguments.value(3), "name", &name) != napi_ok ||
      !decode_string(env, name, arguments.host().arena(), text)) {
    arguments.fail(3, "{ name: string, durability: \"fsync\" | \"os\" }");
    return nullptr;
  }
  options.name = text;
  if (napi_get_named_property(env, arguments.value(3), "durability", &durability) == napi_ok &&
      decode_string(env, durability, arguments.host().arena(), text)) {
    options.sync = text != "os";
  }
  napi_value history = nullptr;
  double history_ms = 0;
  if (napi_get_named_property(env, arguments.value(3), "historyMs", &history) == napi_ok &&
      napi_get_value_double(env, history, &history_ms) == napi_ok) {
    options.history_ms = static_cast<std::int64_t>(history_ms);
  }
  return arguments.host().open_database(std::move(options));
}

napi_value report_alarm(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const AgentId id = arguments.agent(0);
  const std::string path(arguments.text(2));
  const std::string_view name = arguments.text(3);
  const std::int64_t history_ms = arguments.absent(4) ? 0 : arguments.signed_number(4);
  if (!arguments.ok()) return nullptr;
  const Result<std::optional<std::int64_t>> at_ms = arguments.host().read_alarm(path, history_ms);
  if (!at_ms) {
    napi_throw_error(env, nullptr, at_ms.error().message.c_str());
    return nullptr;
  }
  if (arguments.host().started()) {
    arguments.host().link().send(wire::AlarmSet{id, name, at_ms->value_or(-1)});
  }
  return nullptr;
}

// False when there is no such file: nothing was ever stored.
napi_value clone_database(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string from(arguments.text(0));
  const std::string to(arguments.text(1));
  if (!arguments.ok()) return nullptr;
  const Status cloned = arguments.host().clone_database(from, to);
  if (!cloned && cloned.error().code != ErrorCode::kNotFound) {
    napi_throw_error(env, nullptr, cloned.error().message.c_str());
    return nullptr;
  }
  return make_boolean(env, cloned.ok());
}

constexpr Export kExports[] = {
    {"cloneDatabase", clone_database},
    {"openDatabase", open_database},
    {"reportAlarm", report_alarm},
};

}  // namespace

std::span<const Export> database_exports() {
  return kExports;
}

napi_value define_database_class(napi_env env, Host& host) {
  const auto method = [&](const char* name, napi_callback function) {
    return napi_property_descriptor{name,    nullptr, function,     nullptr,
                                    nullptr, nullptr, napi_default, &host};
  };
  const auto getter = [&](const char* name, napi_callback function) {
    return napi_property_descriptor{name,    nullptr, nullptr,      function,
                                    nullptr, nullptr, napi_default, &host};
  };
  const napi_property_descriptor properties[] = {
      method("get", get),
      method("put", put),
      method("delete", remove),
      method("list", list),
      method("deleteAll", delete_all),
      method("exec", exec),
      getter("databaseSize", database_size),
      method("getAlarm", get_alarm),
      method("setAlarm", set_alarm),
      method("begin", transaction<&storage::AgentDatabase::begin>),
      method("commit", transaction<&storage::AgentDatabase::commit>),
      method("rollback", transaction<&storage::AgentDatabase::rollback>),
      getter("durable", durable),
      method("whenDurable", when_durable),
      method("bookmark", bookmark),
      method("bookmarkAt", bookmark_at),
      method("restoreNext", restore_next),
      method("close", cleanup<&Database::close>),
      method("abandon", cleanup<&Database::abandon>),
  };
  napi_value constructor = nullptr;
  napi_define_class(env, "Database", NAPI_AUTO_LENGTH, construct, &host, std::size(properties),
                    properties, &constructor);
  return constructor;
}

}  // namespace hearth::addon
