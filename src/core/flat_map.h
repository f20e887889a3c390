// A map from a 64-bit id to a pointer: open addressing with linear probing in one array, so that a
// lookup is one or two cache lines and an insertion allocates nothing until the array doubles. Id 0
// is not a key. Erasing shifts back, so there are no tombstones. One thread.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace hearth::core {

template <typename T>
class FlatMap {
 public:
  T* find(std::uint64_t key) const {
    if (slots_.empty() || key == 0) return nullptr;
    for (std::size_t at = home(key);; at = (at + 1) & mask()) {
      if (slots_[at].key == key) return slots_[at].value;
      if (slots_[at].key == 0) return nullptr;
    }
  }

  // False, and nothing changes, when the key is there already.
  bool insert(std::uint64_t key, T* value) {
    ASSERT(key != 0, "id 0 is none");
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    std::size_t at = home(key);
    for (; slots_[at].key != 0; at = (at + 1) & mask()) {
      if (slots_[at].key == key) return false;
    }
    slots_[at] = {key, value};
    ++size_;
    return true;
  }

  T* erase(std::uint64_t key) {
    if (slots_.empty() || key == 0) return nullptr;
    std::size_t at = home(key);
    for (; slots_[at].key != key; at = (at + 1) & mask()) {
      if (slots_[at].key == 0) return nullptr;
    }
    T* erased = slots_[at].value;
    // Whatever was pushed past its home by the erased entry moves back.
    for (std::size_t next = (at + 1) & mask(); slots_[next].key != 0; next = (next + 1) & mask()) {
      const std::size_t distance_home = (next - home(slots_[next].key)) & mask();
      const std::size_t distance_hole = (next - at) & mask();
      if (distance_home < distance_hole) continue;
      slots_[at] = slots_[next];
      at = next;
    }
    slots_[at] = {};
    --size_;
    return erased;
  }

  std::size_t size() const { return size_; }

  // `visit(T&)`; the map must not change meanwhile.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.key != 0) visit(*slot.value);
    }
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    T* value = nullptr;
  };

  std::size_t mask() const { return slots_.size() - 1; }
  std::size_t home(std::uint64_t key) const {
    const std::uint64_t mixed = key * 0x9e3779b97f4a7c15ull;
    return static_cast<std::size_t>(mixed >> 32 ^ mixed) & mask();
  }
  void grow() {
    std::vector<Slot> old =
        std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : 2 * slots_.size()));
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.key != 0) insert(slot.key, slot.value);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace hearth::core
