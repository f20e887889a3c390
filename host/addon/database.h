// An agent's database as JavaScript sees it, and the output gate that belongs to it.
//
// A turn that wrote is committed when it ends (Host::end_turn). The commit gets a sequence number,
// and the syncer makes it durable. Whatever names this database as its gate meanwhile waits for the
// commit that it came after: with nothing written and nothing on its way to the disk it leaves at
// once. A commit or sync that fails drops what waits, tells the runtime (commitFailed), and every
// later use of this object fails: the agent is to be reset.
//
// The JavaScript object owns this one; it is kept alive while something is under way. JavaScript
// thread only.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "gate.h"
#include "link.h"
#include "sends.h"
#include "storage/agent_database.h"
#include "wire/messages.h"
#include "wrapped.h"

namespace hearth::addon {

class Host;

class Database : public Wrapped {
 public:
  static constexpr WrappedKind kWrappedKind = WrappedKind::kDatabase;

  struct Options {
    AgentId id;
    std::string path;
    std::string name;
    bool sync = true;  // false: a commit counts as durable when the operating system has it
    std::int64_t history_ms = 0;  // how far back it can be restored; 0: not at all
  };

  Database(Host& host, std::uint64_t key, Options options);
  ~Database();

  std::uint64_t key() const { return key_; }
  const std::string& path() const { return options_.path; }
  storage::AgentDatabase& store() { return store_; }
  const std::optional<std::string>& failure() const { return failure_; }

  // `self` is the JavaScript object, kept weakly here.
  void attach(napi_value self);
  // The host goes first at the environment's end.
  void detach();

  // Sends now, or when what was written so far is durable. kLimit when too much waits.
  template <typename Message>
  Status emit(Link& link, const Message& message) {
    if (failure_) return {};  // never heard: it came after a write that was lost
    if (durable() && gate_.empty()) {
      link.send(message);
      return {};
    }
    if (gate_.bytes() > Gate::kBytesMax && !make_room()) {
      return Error{ErrorCode::kLimit,
                   "more than 64 MiB were sent in one turn of an agent that also wrote to its "
                   "storage; await something in between"};
    }
    gate_.hold(message, wanted());
    return {};
  }

  bool durable() const { return !store_.dirty() && durable_ == committed_; }
  // Calls `callback(null | Error)` when what was written so far is durable.
  void when_durable(napi_value callback);

  // After each call that may have written: the host ends this turn for us.
  void touched();
  void alarm_touched() { alarm_touched_ = true; }

  // Commits the turn. True while an explicit transaction keeps it open.
  bool end_turn();
  // The syncer is done with commits up to `sequence`.
  void on_synced(std::uint64_t sequence, const Status& status);

  void abandon();
  void close();

  // ---- for OpenDatabases: the file may be closed under an agent that stays awake
  // Whether it has been used since the last time this was asked.
  bool take_used() { return std::exchange(used_, false); }
  // What is committed and not yet durable is no hindrance: it is synced before the file is closed.
  bool at_rest() const { return asking_ == 0 && store_.at_rest(); }

  // ---- points in time; `callback(null | Error, bookmark)` ----
  // The state when this turn is over or, inside a transaction, before it.
  void bookmark(napi_value callback);
  void bookmark_at(std::int64_t time_ms, napi_value callback);
  // The next opening begins with the bookmark's state; gives the bookmark that undoes it.
  void restore_next(const std::string& bookmark, napi_value callback);

 private:
  using Question = std::function<Result<std::string>(storage::Connection&)>;
  struct Waiter {
    std::uint64_t sequence;
    napi_ref callback;
  };

  // The sequence number of the commit that makes everything said so far true.
  std::uint64_t wanted() const { return committed_ + (store_.dirty() ? 1 : 0); }
  bool make_room();
  void after_commit(bool wrote);
  void release();
  void call_waiters(std::uint64_t up_to, const Error* error);
  void fail(const Error& error);
  void note_opened();
  void update_pin();
  void bound_log();
  void take_bookmark(napi_ref callback);
  void ask(Question question, napi_ref callback);
  void answer_nothing(napi_ref callback);
  void answer(napi_ref callback, const Result<std::string>& result);

  void tell_alarm_before_commit();
  void tell_alarm(std::optional<std::int64_t> at_ms, bool gated);

  Host* host_;
  const std::uint64_t key_;
  const Options options_;
  storage::AgentDatabase store_;
  Gate gate_;
  std::uint64_t committed_ = 0;
  std::uint64_t durable_ = 0;
  std::vector<Waiter> waiters_;
  std::vector<napi_ref> bookmarks_;  // wanted of the state when this turn is over
  int asking_ = 0;
  std::optional<std::string> failure_;
  napi_ref self_ = nullptr;
  bool pinned_ = false;
  bool opened_ = false;  // the store's file is open, and has been looked at
  bool used_ = false;
  bool listed_ = false;  // among the host's databases whose turn is to be ended
  bool alarm_touched_ = false;
  bool alarm_told_known_ = false;
  std::optional<std::int64_t> alarm_told_;
};

// openDatabase and reportAlarm.
std::span<const Export> database_exports();
// Database.prototype; the class has no constructor of use to JavaScript.
napi_value define_database_class(napi_env env, Host& host);

}  // namespace hearth::addon
