// The transport as JavaScript sees it: each function of addon.ts that makes a frame. Those that
// name a Database wait at its output gate. JavaScript thread only.
#pragma once

#include <node_api.h>

#include <span>

namespace hearth::addon {

struct Export {
  const char* name;
  napi_callback function;
};

std::span<const Export> transport_exports();

}  // namespace hearth::addon
