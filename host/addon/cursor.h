// Results of SQL as JavaScript reads them. Rows come over in one go, as arrays of values, up to a
// bound that few results pass; those are then plain JavaScript objects with no native half, and the
// statement is free again before `exec` returns. Longer results keep their statement and fetch in
// portions. JavaScript thread only.
#pragma once

#include <node_api.h>

#include "storage/agent_database.h"

namespace hearth::addon {

class Host;

class Cursors {
 public:
  explicit Cursors(napi_env env) : env_(env) {}

  // The Cursor of addon.ts; null with an exception pending.
  napi_value make(storage::AgentDatabase::Execution execution);

 private:
  napi_value factory();

  napi_env env_;
  napi_ref factory_ = nullptr;
};

}  // namespace hearth::addon
