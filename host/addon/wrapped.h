// What a JavaScript object of ours carries. The kind comes first in each, so that one that is
// passed for another is refused and never read as what it is not.
#pragma once

#include <node_api.h>

#include <cstdint>

namespace hearth::addon {

enum class WrappedKind : std::uint32_t { kDatabase = 0x64617461, kLiveCursor = 0x63757273 };

struct Wrapped {
  explicit Wrapped(WrappedKind kind) : wrapped_kind(kind) {}
  const WrappedKind wrapped_kind;
};

// The native half of `value`, or null when it is of another kind or none. `T::kWrappedKind` names
// it, and T's first base is Wrapped.
template <typename T>
T* unwrap(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_unwrap(env, value, &data) != napi_ok || data == nullptr) return nullptr;
  auto* wrapped = static_cast<Wrapped*>(data);
  return wrapped->wrapped_kind == T::kWrappedKind ? static_cast<T*>(wrapped) : nullptr;
}

}  // namespace hearth::addon
