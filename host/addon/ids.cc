#include "ids.h"

#include "arguments.h"
#include "host.h"
#include "values.h"

namespace hearth::addon {

wire::AgentIds& IdKeys::of(std::string_view unique_key) {
  auto found = keys_.find(unique_key);
  if (found != keys_.end()) return found->second;
  if (keys_.size() >= kMax) keys_.clear();
  return keys_.emplace(std::string(unique_key), wire::AgentIds(unique_key)).first->second;
}

namespace {

napi_value make_id(napi_env env, const wire::AgentIdBytes& bytes) {
  return make_ascii(env, AgentId{.name_space = 0, .bytes = bytes}.hex());
}

napi_value id_from_name(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string_view unique_key = arguments.text(0);
  const std::string_view name = arguments.text(1);
  if (!arguments.ok()) return nullptr;
  return make_id(env, arguments.host().id_keys().of(unique_key).from_name(name));
}

napi_value new_unique_id(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string_view unique_key = arguments.text(0);
  if (!arguments.ok()) return nullptr;
  return make_id(env, arguments.host().id_keys().of(unique_key).unique());
}

napi_value id_belongs(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string_view unique_key = arguments.text(0);
  const std::string_view hex = arguments.text(1);
  if (!arguments.ok()) return nullptr;
  const std::optional<wire::AgentIdBytes> id = wire::parse_agent_id(hex);
  return make_boolean(env, id && arguments.host().id_keys().of(unique_key).belongs(*id));
}

constexpr Export kIds[] = {
    {"idFromName", id_from_name},
    {"newUniqueId", new_unique_id},
    {"idBelongs", id_belongs},
};

}  // namespace

std::span<const Export> id_exports() {
  return kIds;
}

}  // namespace hearth::addon
