#include "database.h"

#include <algorithm>
#include <utility>

#include "host.h"
#include "values.h"

namespace hearth::addon {

namespace {

// A log of 16 MiB is checkpointed off this thread; one that could not be (somebody always reads)
// and has come to 64 MiB is checkpointed here, so that it does not grow for ever.
constexpr int kLogPagesSoft = 4 * 1024;
constexpr int kLogPagesHard = 16 * 1024;

Error no_history() {
  return {ErrorCode::kInvalid, "no history is kept to recover from (--history 0)"};
}

}  // namespace

Database::Database(Host& host, std::uint64_t key, Options options)
    : Wrapped(kWrappedKind),
      host_(&host),
      key_(key),
      options_(std::move(options)),
      store_(options_.path,
             [this](const std::string& path) {
               if (host_ != nullptr) host_->syncer().wait_closed(path);
             },
             storage::system_disk(), {.keep_ms = options_.history_ms}) {}

Database::~Database() {
  if (host_ == nullptr) return;
  close();
  host_->forget(*this);
  for (const Waiter& waiter : waiters_) napi_delete_reference(host_->env(), waiter.callback);
  for (napi_ref callback : bookmarks_) napi_delete_reference(host_->env(), callback);
  if (self_ != nullptr) napi_delete_reference(host_->env(), self_);
}

void Database::attach(napi_value self) {
  napi_wrap(
      host_->env(), self, static_cast<Wrapped*>(this),
      [](napi_env, void* data, void*) {
        delete static_cast<Database*>(static_cast<Wrapped*>(data));
      },
      nullptr, nullptr);
  napi_create_reference(host_->env(), self, 0, &self_);
}

void Database::detach() {
  host_ = nullptr;
}

void Database::update_pin() {
  const bool wanted_pin =
      listed_ || durable_ != committed_ || !waiters_.empty() || !bookmarks_.empty() || asking_ > 0;
  if (wanted_pin == pinned_ || self_ == nullptr || host_->ending()) return;
  pinned_ = wanted_pin;
  host_->add_pin(pinned_ ? 1 : -1);
  std::uint32_t count = 0;
  if (pinned_) {
    napi_reference_ref(host_->env(), self_, &count);
  } else {
    napi_reference_unref(host_->env(), self_, &count);
  }
}

void Database::note_opened() {
  const std::shared_ptr<storage::Connection>& connection = store_.connection();
  if (!connection) return;
  opened_ = true;
  host_->open_databases().opened(*this);
  // After a crash or a restore the core may know another alarm than the file does.
  if (connection->log_left()) {
    const Result<std::optional<std::int64_t>> at_ms = store_.alarm();
    if (at_ms && *at_ms) tell_alarm(*at_ms, /*gated=*/false);
  }
  // What a host that died had written may be read here and be told to nobody yet: a power cut could
  // still take it.
  if (!options_.sync || !connection->unsynced()) return;
  ++committed_;
  host_->syncer().request(connection, key_, committed_);
  update_pin();
}

void Database::touched() {
  used_ = true;
  if (!opened_) note_opened();
  if (listed_ || !store_.dirty()) return;
  listed_ = true;
  host_->list_turn(*this);
  update_pin();
}

bool Database::make_room() {
  // What waits for the disk alone can be waited for here; what waits for this turn's own end
  // cannot.
  if (!store_.dirty()) host_->settle_syncs();
  return gate_.bytes() <= Gate::kBytesMax;
}

bool Database::end_turn() {
  if (store_.dirty() && store_.depth() > 0) return true;
  listed_ = false;
  if (alarm_touched_ && store_.dirty()) tell_alarm_before_commit();
  Result<storage::AgentDatabase::Turn> turn = store_.commit_turn();
  if (!turn) {
    fail(turn.error());
  } else {
    after_commit(*turn == storage::AgentDatabase::Turn::kCommitted);
  }
  update_pin();
  return false;
}

void Database::after_commit(bool wrote) {
  if (wrote) {
    ++committed_;
    if (options_.sync) {
      host_->syncer().request(store_.connection(), key_, committed_);
    } else {
      durable_ = committed_;
    }
  } else {
    gate_.lower_to(committed_);
    for (Waiter& each : waiters_) each.sequence = std::min(each.sequence, committed_);
  }
  if (std::exchange(alarm_touched_, false)) {
    Result<std::optional<std::int64_t>> now = store_.alarm();
    if (now && !(alarm_told_known_ && alarm_told_ == *now)) tell_alarm(*now, /*gated=*/true);
  }
  if (durable_ == committed_) release();
  if (wrote) bound_log();
  for (napi_ref callback : std::exchange(bookmarks_, {})) take_bookmark(callback);
}

void Database::bound_log() {
  const std::shared_ptr<storage::Connection>& connection = store_.connection();
  if (connection && connection->archive_due()) host_->syncer().archive(connection);
  if (!connection || connection->log_pages() < kLogPagesSoft) return;
  if (connection->log_pages() < kLogPagesHard) {
    host_->syncer().checkpoint(connection);
  } else {
    store_.end_cursors();
    connection->checkpoint();
  }
}

void Database::tell_alarm_before_commit() {
  // An alarm that comes earlier than the core knows is told first: should this process end between
  // the two, the core rings for an alarm that was never set, which the runtime ignores, and never
  // misses one that was. One that comes later, or none, is told when it is durable.
  Result<std::optional<std::int64_t>> now = store_.alarm();
  if (!now || !now->has_value()) return;
  if (alarm_told_known_ && alarm_told_ && *alarm_told_ <= **now) return;
  tell_alarm(*now, /*gated=*/false);
  // While an earlier turn is not durable, the gate may hold what that turn said of the alarm
  // ("none", at the end of a handler): it leaves after this and must not have the last word.
  if (durable_ != committed_) alarm_told_known_ = false;
  (void)host_->link().flush().ok();  // a core that is gone is noticed by the next read
}

void Database::tell_alarm(std::optional<std::int64_t> at_ms, bool gated) {
  if (!host_->started()) return;
  alarm_told_known_ = true;
  alarm_told_ = at_ms;
  const wire::AlarmSet message{options_.id, options_.name, at_ms.value_or(-1)};
  if (gated) {
    gate_.hold(message, committed_);
  } else {
    host_->link().send(message);
  }
}

void Database::on_synced(std::uint64_t sequence, const Status& status) {
  if (failure_) return;
  if (!status) {
    fail(status.error());
  } else if (sequence > durable_) {
    durable_ = sequence;
    release();
  }
  update_pin();
}

void Database::release() {
  gate_.release(durable_, [this](std::string_view frames) {
    if (host_->started()) host_->link().send_encoded(frames);
  });
  if (!waiters_.empty()) call_waiters(durable_, nullptr);
}

void Database::when_durable(napi_value callback) {
  napi_ref reference = nullptr;
  napi_create_reference(host_->env(), callback, 1, &reference);
  waiters_.push_back({failure_ || durable() ? 0 : wanted(), reference});
  if (failure_) {
    const Error error{ErrorCode::kIo, *failure_};
    call_waiters(0, &error);
  } else {
    call_waiters(durable_, nullptr);
  }
  update_pin();
}

void Database::call_waiters(std::uint64_t up_to, const Error* error) {
  const auto due = std::stable_partition(waiters_.begin(), waiters_.end(),
                                         [&](const Waiter& each) { return each.sequence > up_to; });
  const std::vector<Waiter> called(due, waiters_.end());
  waiters_.erase(due, waiters_.end());
  for (const Waiter& each : called) host_->call_waiter(each.callback, error);
}

void Database::fail(const Error& error) {
  if (failure_) return;
  failure_ = error.message;
  gate_.drop_after(durable_);
  durable_ = committed_;
  alarm_touched_ = false;
  alarm_told_known_ = false;
  store_.abandon();
  call_waiters(UINT64_MAX, &error);
  for (napi_ref callback : std::exchange(bookmarks_, {})) answer(callback, error);
  if (self_ != nullptr && host_->started()) host_->tell_commit_failed(self_, error.message);
}

void Database::abandon() {
  if (!store_.dirty()) return;
  store_.abandon();
  gate_.drop_after(committed_);
  alarm_touched_ = false;
  // Who waited for the dropped writes is told; who waited for earlier ones goes on waiting.
  const Error error{ErrorCode::kCancelled, "the writes were dropped because the object was reset"};
  const auto due = std::stable_partition(waiters_.begin(), waiters_.end(), [&](const Waiter& each) {
    return each.sequence <= committed_;
  });
  const std::vector<Waiter> called(due, waiters_.end());
  waiters_.erase(due, waiters_.end());
  for (const Waiter& each : called) host_->call_waiter(each.callback, &error);
  for (napi_ref callback : std::exchange(bookmarks_, {})) answer(callback, error);
}

// ---- points in time -------------------------------------------------------------------------

void Database::bookmark(napi_value callback) {
  napi_ref reference = nullptr;
  napi_create_reference(host_->env(), callback, 1, &reference);
  if (store_.dirty() && store_.depth() == 0) {
    bookmarks_.push_back(reference);
    update_pin();
  } else {
    take_bookmark(reference);
  }
}

void Database::take_bookmark(napi_ref callback) {
  const Result<bool> there = store_.open_if_there();
  if (!there) return answer(callback, there.error());
  if (!*there) return answer_nothing(callback);
  if (!opened_) note_opened();
  const std::shared_ptr<storage::Wanted> wanted = store_.connection()->want();
  ask([wanted](storage::Connection& connection) { return connection.bookmark(wanted); }, callback);
}

void Database::bookmark_at(std::int64_t time_ms, napi_value callback) {
  napi_ref reference = nullptr;
  napi_create_reference(host_->env(), callback, 1, &reference);
  const Result<bool> there = store_.open_if_there();
  if (!there) return answer(reference, there.error());
  if (!*there) return answer_nothing(reference);
  ask([time_ms](storage::Connection& connection) { return connection.bookmark_at(time_ms); },
      reference);
}

void Database::restore_next(const std::string& bookmark, napi_value callback) {
  napi_ref reference = nullptr;
  napi_create_reference(host_->env(), callback, 1, &reference);
  if (Status status = store_.open(); !status) return answer(reference, status.error());
  ask([bookmark](storage::Connection& connection) { return connection.restore_next(bookmark); },
      reference);
}

void Database::ask(Question question, napi_ref callback) {
  if (!opened_) note_opened();
  const std::shared_ptr<storage::Connection> connection = store_.connection();
  if (!connection->keeps_history()) return answer(callback, no_history());
  ++asking_;
  update_pin();
  Host* host = host_;
  host->syncer().kick();
  host->syncer().ask([connection, question = std::move(question), callback, host,
                      key = key_]() -> storage::Syncer::Answer {
    return [result = question(*connection), callback, host, key] {
      Database* database = host->find_database(key);
      if (database == nullptr) {
        napi_delete_reference(host->env(), callback);
        return;
      }
      --database->asking_;
      database->answer(callback, result);
      database->update_pin();
    };
  });
}

// Of an object that never stored anything.
void Database::answer_nothing(napi_ref callback) {
  if (options_.history_ms == 0) return answer(callback, no_history());
  answer(callback, storage::History::bookmark_of_nothing(path()));
}

void Database::answer(napi_ref callback, const Result<std::string>& result) {
  host_->call_with_text(callback, result);
  update_pin();
}

void Database::close() {
  abandon();
  opened_ = false;
  if (std::shared_ptr<storage::Connection> connection = store_.release()) {
    host_->open_databases().closed(*this);
    // In the same queue as its syncs, and after them.
    host_->syncer().kick();
    host_->syncer().close(std::move(connection));
  }
}

}  // namespace hearth::addon
