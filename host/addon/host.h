// One host's native half: the link to the core, the progress page, the loop's hooks, and the
// databases that the turn has written to. One per environment of Node.js, on its JavaScript thread.
// After every event, and before the loop waits, what the turn wrote is committed and what it said
// is flushed; `Database` says what waits for the disk before it may leave.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arena.h"
#include "base/ids.h"
#include "base/result.h"
#include "cursor.h"
#include "database.h"
#include "ids.h"
#include "link.h"
#include "open_databases.h"
#include "storage/syncer.h"
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
  Cursors& cursors() { return cursors_; }
  storage::Syncer& syncer() { return syncer_; }
  bool started() const { return events_ != nullptr; }

  // Takes the descriptors from the environment and begins to read.
  Status start(napi_value handlers);

  void begun(std::uint32_t slot) {
    mark(slot, wire::Progress::kBegun);
    set_running(slot + 1);
  }
  // The words that JavaScript marks the running code in; null before the start.
  wire::ProgressPage::Marks* marks() { return page_ != nullptr ? &page_->marks : nullptr; }
  void name_mark(std::uint32_t place, const AgentId& agent);
  // Said once the turn's writes are a commit: a host that dies between the two has not finished.
  void done(std::uint32_t slot) {
    if (turns_.empty()) return mark(slot, wire::Progress::kDone);
    over_.push_back(slot);
  }

  void set_place(std::uint8_t host_slot, std::uint16_t generation) {
    host_slot_ = host_slot;
    generation_ = generation;
  }
  ConnectionId new_connection() {
    return make_connection_id(host_slot_, generation_, ++connection_counter_);
  }

  // ---- databases ----
  // The JavaScript object; null with an exception pending.
  napi_value open_database(Database::Options options);
  void set_database_class(napi_value constructor);
  void forget(Database& database);
  OpenDatabases& open_databases() { return open_databases_; }
  // How many databases have something under way, which keeps the loop alive.
  void add_pin(int difference);
  // Its turn is to be ended.
  void list_turn(Database& database) { turns_.push_back(&database); }
  // Waits for the disk, so that everything that is committed is durable.
  void settle_syncs();
  void call_waiter(napi_ref callback, const Error* error);
  // As `callback(error, null)` or `callback(null, text)`.
  void call_with_text(napi_ref callback, const Result<std::string>& result);
  Database* find_database(std::uint64_t key);
  void tell_commit_failed(napi_ref database, const std::string& message);
  // The alarm in an agent's file, open on this host or not.
  Result<std::optional<std::int64_t>> read_alarm(const std::string& path, std::int64_t history_ms);

  // A copy of an agent's or a facet's file, open on this host or not. kConflict while a transaction
  // is open there, kNotFound when nothing was ever stored.
  Status copy_database(const std::string& path, const std::string& to);
  // The same for a clone, in the middle of somebody's turn: what is not committed stays out of it.
  Status clone_database(const std::string& path, const std::string& to);

  // After each event: what its turn wrote becomes a commit.
  void end_turn();
  // Everything is committed, durable and written to the core.
  void finish();
  // At the process's or the environment's end, when JavaScript does not run any more.
  void say_last_words();
  bool ending() const { return ending_; }
  // As `finish`, with every database closed and Drained said.
  void drain();

 private:
  Database* open_at(const std::string& path);
  static constexpr int kFinishDeadlineMs = 2'000;

  void mark(std::uint32_t slot, wire::Progress progress) {
    if (page_ != nullptr && slot < kProgressSlots) {
      page_->state[slot].store(static_cast<std::uint8_t>(progress), std::memory_order_release);
    }
  }
  // 0: no event's code is on the stack.
  void set_running(std::uint32_t running) {
    if (page_ == nullptr) return;
    page_->running.store(running, std::memory_order_relaxed);
    page_->marks.agent.store(0, std::memory_order_relaxed);
  }
  void beat() {
    if (page_ != nullptr) page_->heartbeat.fetch_add(1, std::memory_order_relaxed);
  }
  Status map_progress_page();
  void on_readable();
  void on_prepare();
  void on_core_gone();
  void on_synced();
  void take_synced();
  void close_databases();
  void flush();
  void watch(int events);

  napi_env env_;
  uv_loop_t* loop_ = nullptr;
  Arena arena_;
  Link link_;
  IdKeys id_keys_;
  Cursors cursors_;
  std::unique_ptr<Events> events_;
  wire::ProgressPage* page_ = nullptr;
  uv_poll_t* poll_ = nullptr;
  uv_prepare_t* prepare_ = nullptr;
  uv_async_t* synced_ = nullptr;
  int watched_ = 0;
  bool core_gone_ = false;
  bool ending_ = false;  // the environment is: nothing calls into JavaScript
  std::uint8_t host_slot_ = 0;
  std::uint16_t generation_ = 0;
  std::uint32_t connection_counter_ = 0;
  napi_ref database_class_ = nullptr;
  int pins_ = 0;
  std::uint64_t next_key_ = 0;
  std::unordered_map<std::uint64_t, Database*> databases_;  // those that JavaScript still holds
  std::vector<Database*> turns_;
  std::vector<std::uint32_t> over_;  // events whose handlers have ended in this turn
  OpenDatabases open_databases_;
  storage::Syncer syncer_;  // last: its thread ends before anything that it wakes
};

}  // namespace hearth::addon
