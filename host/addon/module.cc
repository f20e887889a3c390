// The module's registration: makes the environment's Host and publishes addon.ts's functions.
#include <node_api.h>

#include <memory>

#include "arguments.h"
#include "database.h"
#include "host.h"
#include "ids.h"
#include "sends.h"
#include "storage/sqlite_setup.h"

namespace hearth::addon {

namespace {

napi_value start(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments.value(0), &type);
  if (type != napi_object) {
    arguments.fail(0, "an object of handlers");
    return nullptr;
  }
  Status status = arguments.host().start(arguments.value(0));
  if (!status) napi_throw_error(env, nullptr, status.error().message.c_str());
  return nullptr;
}

void publish(napi_env env, napi_value exports, Host* host, const Export& entry) {
  napi_value function = nullptr;
  napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, host, &function);
  napi_set_named_property(env, exports, entry.name, function);
}

}  // namespace

static napi_value initialise(napi_env env, napi_value exports) {
  storage::set_up_sqlite();
  auto* host = std::make_unique<Host>(env).release();
  napi_set_instance_data(
      env, host, [](napi_env, void* data, void*) { delete static_cast<Host*>(data); }, nullptr);
  publish(env, exports, host, {"start", start});
  for (const Export& entry : transport_exports()) publish(env, exports, host, entry);
  for (const Export& entry : id_exports()) publish(env, exports, host, entry);
  for (const Export& entry : database_exports()) publish(env, exports, host, entry);
  host->set_database_class(define_database_class(env, *host));
  return exports;
}

}  // namespace hearth::addon

NAPI_MODULE_INIT() {
  return hearth::addon::initialise(env, exports);
}
