#include "host.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "events.h"
#include "storage/copy.h"
#include "values.h"

namespace hearth::addon {

namespace {

// The exit status of a host whose core speaks another protocol (EX_PROTOCOL of sysexits.h).
constexpr int kExitProtocol = 76;
constexpr int kTurnRoundsMax = 16;

// process.exit() runs no finalizer of an addon, only C's own exit handlers, and those take no
// argument: the one host that was started, for its last words. Null when there is none.
Host* exiting_host = nullptr;

Result<int> descriptor_from(const char* variable) {
  const char* text = std::getenv(variable);
  int descriptor = -1;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), descriptor);
  if (descriptor < 0) {
    return Error{ErrorCode::kInvalid, std::string(variable) +
                                          " does not name a descriptor; a host "
                                          "is started by the core, not by hand"};
  }
  return descriptor;
}

template <typename Handle>
void close_handle(Handle*& handle) {
  if (handle == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(handle),
           [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  handle = nullptr;
}

}  // namespace

Host::Host(napi_env env)
    : env_(env),
      cursors_(env),
      open_databases_(*this),
      syncer_([this] { uv_async_send(synced_); }) {
  napi_get_uv_event_loop(env, &loop_);
  synced_ = new uv_async_t;
  synced_->data = this;
  uv_async_init(loop_, synced_,
                [](uv_async_t* handle) { static_cast<Host*>(handle->data)->on_synced(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(synced_));
  prepare_ = new uv_prepare_t;
  prepare_->data = this;
  uv_prepare_init(loop_, prepare_);
  uv_prepare_start(prepare_,
                   [](uv_prepare_t* handle) { static_cast<Host*>(handle->data)->on_prepare(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_));
}

Host::~Host() {
  if (exiting_host == this) exiting_host = nullptr;
  ending_ = true;
  close_databases();
  say_last_words();
  for (auto& [key, database] : databases_) database->detach();
  close_handle(poll_);
  close_handle(prepare_);
  close_handle(synced_);
  if (page_ != nullptr) ::munmap(page_, sizeof(wire::ProgressPage));
}

Status Host::start(napi_value handlers) {
  if (started()) return Error{ErrorCode::kConflict, "the host has been started already"};
  Result<int> socket = descriptor_from("HEARTH_SOCKET_FD");
  if (!socket) return socket.error();
  Status status = link_.open(*socket);
  if (!status) return status;
  status = map_progress_page();
  if (!status) return status;

  auto poll = std::make_unique<uv_poll_t>();
  poll->data = this;
  if (const int failed = uv_poll_init(loop_, poll.get(), *socket); failed != 0) {
    return Error{ErrorCode::kIo,
                 std::string("watching the socket to the core: ") + uv_strerror(failed)};
  }
  poll_ = poll.release();
  events_ = std::make_unique<Events>(*this, handlers);
  watch(UV_READABLE);
  exiting_host = this;
  std::atexit([] {
    if (exiting_host != nullptr) exiting_host->say_last_words();
  });
  return {};
}

Status Host::map_progress_page() {
  Result<int> descriptor = descriptor_from("HEARTH_PROGRESS_FD");
  if (!descriptor) return descriptor.error();
  struct stat info {};
  if (::fstat(*descriptor, &info) != 0 ||
      info.st_size < static_cast<off_t>(sizeof(wire::ProgressPage))) {
    return Error{ErrorCode::kInvalid, "the progress page is too small"};
  }
  void* mapped = ::mmap(nullptr, sizeof(wire::ProgressPage), PROT_READ | PROT_WRITE, MAP_SHARED,
                        *descriptor, 0);
  if (mapped == MAP_FAILED) {
    return Error{ErrorCode::kIo, std::string("mapping the progress page: ") + std::strerror(errno)};
  }
  ::close(*descriptor);
  auto* page = static_cast<wire::ProgressPage*>(mapped);
  if (page->magic != wire::ProgressPage::kMagic || page->slots != kProgressSlots) {
    ::munmap(mapped, sizeof(wire::ProgressPage));
    return Error{ErrorCode::kConflict, "the progress page is of another version of hearth"};
  }
  page_ = page;
  return {};
}

void Host::name_mark(std::uint32_t place, const AgentId& agent) {
  if (page_ == nullptr || place >= wire::ProgressPage::kMarks) return;
  wire::MarkedAgent& marked = page_->agents[place];
  marked.name_space = agent.name_space;
  std::memcpy(marked.id, agent.bytes.data(), sizeof marked.id);
  // Before the mark that names the place: the core may read both at any moment.
  std::atomic_thread_fence(std::memory_order_release);
}

void Host::watch(int events) {
  if (poll_ == nullptr || events == watched_) return;
  watched_ = events;
  uv_poll_start(poll_, events, [](uv_poll_t* handle, int status, int ready) {
    auto* host = static_cast<Host*>(handle->data);
    if (status < 0 || (ready & UV_READABLE) != 0) {
      host->on_readable();
    } else {
      host->flush();
    }
  });
}

void Host::on_readable() {
  // One read per turn of the loop: timers and other I/O of user code get theirs between.
  std::string_view data;
  Status status = link_.read(&data);
  if (!status && status.error().code == ErrorCode::kCancelled) return;
  if (!status || data.empty()) return on_core_gone();
  status = link_.reader().feed(data, [this](std::string_view frame) {
    beat();  // many events that were handed over at once are no event that blocks
    Status handled = events_->dispatch(frame);
    end_turn();
    return handled;
  });
  if (!status) {
    std::fprintf(stderr, "hearth host: %s from the core; ending\n", status.error().message.c_str());
    finish();
    std::_Exit(kExitProtocol);
  }
  flush();
}

void Host::on_prepare() {
  beat();
  end_turn();
  flush();
}

void Host::end_turn() {
  set_running(0);
  // Where nothing waits for the disk, a commit calls its waiters at once, and they may write again:
  // that is a turn's end too. One that never stops writing comes back after the loop's other work.
  std::vector<Database*> in_transaction;
  for (int round = 0; !(turns_.empty() && over_.empty()) && round < kTurnRoundsMax; ++round) {
    const auto over = static_cast<std::ptrdiff_t>(over_.size());
    for (Database* database : std::exchange(turns_, {})) {
      if (database->end_turn()) in_transaction.push_back(database);
    }
    for (auto slot = over_.begin(); slot != over_.begin() + over; ++slot) {
      mark(*slot, wire::Progress::kDone);
    }
    over_.erase(over_.begin(), over_.begin() + over);
  }
  if (!turns_.empty()) uv_async_send(synced_);
  turns_.insert(turns_.end(), in_transaction.begin(), in_transaction.end());
}

void Host::flush() {
  syncer_.kick();
  if (core_gone_ || !started()) return;
  if (!link_.flush()) return on_core_gone();
  watch(link_.has_output() ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void Host::finish() {
  end_turn();
  settle_syncs();
  if (!core_gone_ && started()) (void)link_.flush_all(kFinishDeadlineMs).ok();
}

void Host::say_last_words() {
  // What is committed is made durable, and what waited for that still leaves. The turn that called
  // process.exit() is not over: it is not committed.
  ending_ = true;
  settle_syncs();
  if (!core_gone_ && started()) (void)link_.flush_all(kFinishDeadlineMs).ok();
}

void Host::drain() {
  finish();
  close_databases();
  link_.send(wire::Drained{});
  finish();
}

void Host::close_databases() {
  for (auto& [key, database] : databases_) database->close();
  syncer_.wait_idle();
}

// ---- databases ------------------------------------------------------------------------------

void Host::set_database_class(napi_value constructor) {
  napi_create_reference(env_, constructor, 1, &database_class_);
}

napi_value Host::open_database(Database::Options options) {
  napi_value constructor = nullptr;
  napi_value self = nullptr;
  napi_get_reference_value(env_, database_class_, &constructor);
  if (napi_new_instance(env_, constructor, 0, nullptr, &self) != napi_ok) return nullptr;
  auto database = std::make_unique<Database>(*this, ++next_key_, std::move(options));
  databases_.emplace(database->key(), database.get());
  database->attach(self);
  (void)database.release();  // the JavaScript object's now
  return self;
}

void Host::add_pin(int difference) {
  if (ending_) return;
  // A process does not end while something that it wrote is not durable.
  pins_ += difference;
  auto* handle = reinterpret_cast<uv_handle_t*>(synced_);
  pins_ > 0 ? uv_ref(handle) : uv_unref(handle);
}

void Host::forget(Database& database) {
  databases_.erase(database.key());
  std::erase(turns_, &database);
}

void Host::settle_syncs() {
  syncer_.wait_idle();
  take_synced();
}

void Host::take_synced() {
  for (const storage::Syncer::Finished& each : syncer_.take_finished()) {
    const auto found = databases_.find(each.key);
    if (found != databases_.end()) found->second->on_synced(each.sequence, each.status);
  }
  for (const storage::Syncer::Answer& answer : syncer_.take_answers()) answer();
}

Database* Host::find_database(std::uint64_t key) {
  const auto found = databases_.find(key);
  return found == databases_.end() ? nullptr : found->second;
}

void Host::on_synced() {
  take_synced();
  // What a waiter's callback wrote or said goes the way of every turn's.
  end_turn();
  flush();
}

void Host::call_waiter(napi_ref callback, const Error* error) {
  if (ending_) return;
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(env_, &scope);
  napi_value function = nullptr;
  napi_value argument = make_null(env_);
  napi_get_reference_value(env_, callback, &function);
  napi_delete_reference(env_, callback);
  if (error != nullptr) {
    napi_create_error(env_, nullptr, make_text(env_, error->message), &argument);
  }
  napi_value receiver = nullptr;
  napi_get_global(env_, &receiver);
  Events::invoke(env_, receiver, function, {argument});
  napi_close_handle_scope(env_, scope);
}

void Host::call_with_text(napi_ref callback, const Result<std::string>& result) {
  if (ending_) return;
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(env_, &scope);
  napi_value function = nullptr;
  napi_value error = make_null(env_);
  napi_value text = make_null(env_);
  napi_get_reference_value(env_, callback, &function);
  napi_delete_reference(env_, callback);
  if (result) {
    text = make_text(env_, *result);
  } else {
    napi_create_error(env_, nullptr, make_text(env_, result.error().message), &error);
  }
  napi_value receiver = nullptr;
  napi_get_global(env_, &receiver);
  Events::invoke(env_, receiver, function, {error, text});
  napi_close_handle_scope(env_, scope);
}

void Host::tell_commit_failed(napi_ref database, const std::string& message) {
  if (ending_) return;
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(env_, &scope);
  napi_value self = nullptr;
  napi_get_reference_value(env_, database, &self);
  if (self != nullptr) events_->commit_failed(self, message);
  napi_close_handle_scope(env_, scope);
}

Result<std::optional<std::int64_t>> Host::read_alarm(const std::string& path,
                                                     std::int64_t history_ms) {
  for (auto& [key, database] : databases_) {
    if (database->path() == path && database->store().connection() && !database->failure()) {
      return database->store().alarm();
    }
  }
  storage::AgentDatabase store(path,
                               [this](const std::string& opened) { syncer_.wait_closed(opened); },
                               storage::system_disk(), {.keep_ms = history_ms});
  Result<std::optional<std::int64_t>> at_ms = store.alarm();
  if (std::shared_ptr<storage::Connection> connection = store.release()) {
    syncer_.close(std::move(connection));
  }
  return at_ms;
}

namespace {
// The files as they are, with the log if there is one: all that is committed, as what is not has no
// commit record in the log.
Status copy_files(const std::string& path, const std::string& to) {
  if (::access(path.c_str(), F_OK) != 0) {
    return Error{ErrorCode::kNotFound, path + ": no such file"};
  }
  std::error_code error;
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::remove(to + suffix, error);
    if (*suffix != '\0' && !std::filesystem::exists(path + suffix, error)) continue;
    if (!std::filesystem::copy_file(path + suffix, to + suffix, error)) {
      return Error{ErrorCode::kIo, "copying " + path + suffix + ": " + error.message()};
    }
  }
  return {};
}
}  // namespace

Database* Host::open_at(const std::string& path) {
  for (auto& [key, database] : databases_) {
    if (database->path() == path && database->store().connection()) return database;
  }
  return nullptr;
}

Status Host::copy_database(const std::string& path, const std::string& to) {
  end_turn();
  if (Database* database = open_at(path)) {
    if (database->store().dirty()) return Error{ErrorCode::kConflict, "a transaction is open"};
    return storage::copy_database(*database->store().connection(), to);
  }
  // Nobody has it open, and nobody opens it before this returns. Opening it here would change it.
  syncer_.wait_closed(path);
  return copy_files(path, to);
}

Status Host::clone_database(const std::string& path, const std::string& to) {
  Database* database = open_at(path);
  if (database == nullptr) syncer_.wait_closed(path);
  // An open turn or transaction holds its log: nothing takes it away under the copy.
  if (database == nullptr || database->store().dirty()) return copy_files(path, to);
  return storage::copy_database(*database->store().connection(), to);
}

// ---- the core's end -------------------------------------------------------------------------

void Host::on_core_gone() {
  if (core_gone_) return;
  core_gone_ = true;
  close_handle(poll_);
  finish();
  close_databases();
  events_->exit_process();
}

}  // namespace hearth::addon
