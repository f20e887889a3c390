// An agent's database as JavaScript sees it, and its output gate.
#pragma once

#include "wrapped.h"

namespace hearth::addon {

class Database : public Wrapped {
 public:
  static constexpr WrappedKind kWrappedKind = WrappedKind::kDatabase;
  Database() : Wrapped(kWrappedKind) {}
};

}  // namespace hearth::addon
