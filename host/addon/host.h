// One host's native half: the link to the core, the progress page, the loop's hooks, and the
// databases that the turn has written to. One per environment of Node.js, on its JavaScript thread.
// After every event, and before the loop waits, what the turn wrote is committed and what it said
// is flushed; `Database` says what waits for the disk before it may leave.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "arena.h"
#include "base/ids.h"
#include "base/result.h"
#include "ids.h"
#include "link.h"
#include "wire/progress_page.h"

namespace hearth::addon {

class Events;

class Host {
 public:
  explicit Host(napi_env env);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  napi_env env() const { return env_; }
  Arena& arena() { return arena_; }
  Link& link() { return link_; }
  IdKeys& id_keys() { return id_keys_; }
  bool started() const { return events_ != nullptr; }

  // Takes the descriptors from the environment and begins to read.
  Status start(napi_value handlers);

  void begun(std::uint32_t slot) { mark(slot, wire::Progress::kBegun); }
  void done(std::uint32_t slot) { mark(slot, wire::Progress::kDone); }

  void set_place(std::uint8_t host_slot, std::uint16_t generation) {
    host_slot_ = host_slot;
    generation_ = generation;
  }
  ConnectionId new_connection() {
    return make_connection_id(host_slot_, generation_, ++connection_counter_);
  }

  // After each event: what its turn wrote becomes a commit.
  void end_turn();
  // Everything is committed, durable and written to the core; databases are closed.
  void finish();

 private:
  static constexpr int kFinishDeadlineMs = 2'000;

  void mark(std::uint32_t slot, wire::Progress progress) {
    if (page_ != nullptr && slot < kProgressSlots) {
      page_->state[slot].store(static_cast<std::uint8_t>(progress), std::memory_order_release);
    }
  }
  Status map_progress_page();
  void on_readable();
  void on_prepare();
  void on_core_gone();
  void flush();
  void watch(int events);

  napi_env env_;
  uv_loop_t* loop_ = nullptr;
  Arena arena_;
  Link link_;
  IdKeys id_keys_;
  std::unique_ptr<Events> events_;
  wire::ProgressPage* page_ = nullptr;
  uv_poll_t* poll_ = nullptr;
  uv_prepare_t* prepare_ = nullptr;
  int watched_ = 0;
  bool core_gone_ = false;
  std::uint8_t host_slot_ = 0;
  std::uint16_t generation_ = 0;
  std::uint32_t connection_counter_ = 0;
};

}  // namespace hearth::addon
