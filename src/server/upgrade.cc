#include "server/upgrade.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "os/files.h"
#include "os/notify.h"
#include "server/options.h"
#include "server/successor.h"

namespace hearth::server {

namespace {
namespace records = core::handover;
// For the new process to build, load and warm its hosts.
constexpr std::uint32_t kReadyMsMax = 120'000;
// Nobody is served meanwhile.
constexpr int kTakeMsMax = 15'000;
constexpr int kReplyMsMax = 1'000;

std::string counted(std::uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}
}  // namespace

Upgrade::Upgrade(UpgradeParts parts, std::function<void()> gone)
    : parts_(std::move(parts)), gone_(std::move(gone)) {
  const std::string& name = parts_.command_line.front();
  std::error_code ignored;
  // With a slash it is a path, and may be a link that points elsewhere by then.
  if (name.find('/') != std::string::npos) {
    given_program_ = std::filesystem::absolute(name, ignored).lexically_normal();
  }
}

Upgrade::~Upgrade() {
  parts_.world.loop.cancel(limit_);
}

void Upgrade::tell(std::string phase, const std::string& message) {
  const bool failed = phase == "failed";
  write_status(parts_.state, {request_.id, std::move(phase), message,
                              done() && process_ ? process_->pid() : ::getpid()});
  parts_.report.say(failed ? core::Level::kError : core::Level::kInfo, message);
}

std::filesystem::path Upgrade::program() const {
  if (!request_.binary.empty()) return request_.binary;
  if (!given_program_.empty()) return given_program_;
  // A file that was replaced is named so.
  std::string path = os::program_path().string();
  constexpr std::string_view kReplaced = " (deleted)";
  if (path.ends_with(kReplaced)) path.resize(path.size() - kReplaced.size());
  return path;
}

void Upgrade::begin() {
  if (phase_ != Phase::kIdle) {
    return parts_.report.say(core::Level::kWarn, "an upgrade is going on already");
  }
  request_ = take_request(parts_.state).value_or(UpgradeRequest{});
  if (parts_.network.handover() == nullptr) return fail("this network's sockets cannot be given");
  phase_ = Phase::kStarting;
  const Status started = start();
  if (!started) return fail(started.error().message);
  tell("starting", "an upgrade begins: " + program().string() + " starts as process " +
                       std::to_string(process_->pid()));
  await_reply();
  limit_ = parts_.world.loop.after(kReadyMsMax, [this] {
    fail("the new process was not ready within " + std::to_string(kReadyMsMax / 1000) + " seconds");
  });
}

Status Upgrade::start() {
  auto ends = os::socket_pair();
  if (!ends) return ends.error();
  os::ProcessOptions options;
  options.path = program().string();
  options.arguments.assign(parts_.command_line.begin() + 1, parts_.command_line.end());
  options.environment = {std::string(kHandoverVariable) + "=3"};
  options.inherited = {ends->second.get()};
  options.successor = true;
  channel_.emplace(std::move(ends->first));
  handover_ = std::make_unique<core::EngineHandover>(parts_.engine, *parts_.network.handover());
  auto process =
      parts_.world.processes.spawn(options, [this](os::ExitStatus status) { on_exit(status); });
  if (!process) return process.error();
  process_ = std::move(process).value();
  records::Offer offer;
  offer.version = version();
  offer.state = parts_.state.string();
  offer.process = static_cast<std::uint64_t>(::getpid());
  const Status sent = channel_->send(encode(offer));
  return sent ? channel_->flush() : sent;
}

void Upgrade::await_reply() {
  // A copy: the channel closes its own.
  const int copy = ::fcntl(channel_->descriptor(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return fail(os::system_error("dup").message);
  readable_ = std::make_unique<boost::asio::posix::stream_descriptor>(parts_.context, copy);
  readable_->async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
        if (!error && !alive.expired()) on_reply();
      });
}

void Upgrade::on_reply() {
  readable_.reset();
  const auto frame = channel_->receive(kReplyMsMax);
  // Its end says more, and is heard of at once.
  if (!frame && frame.error().code == ErrorCode::kNotFound) return;
  if (!frame) return fail(frame.error().message);
  const auto reply = records::decode<records::Reply>(frame->bytes);
  if (!reply) return fail("the new process does not speak as an upgrade does");
  if (!reply->failure.empty()) return fail("the new process refused: " + reply->failure);
  if (phase_ != Phase::kStarting) return;
  parts_.world.loop.cancel(limit_);
  phase_ = Phase::kSettling;
  handover_->settle(request_.wait_s * 1'000, [this] { move(); });
  const std::size_t count = phase_ == Phase::kSettling ? handover_->waits_for() : 0;
  if (count > 0) {
    tell("waiting", "hearth " + reply->version + " is ready; " + counted(count, "request") +
                        " or messages in hand may end first, for " +
                        std::to_string(request_.wait_s) + " seconds at most");
  }
}

void Upgrade::move() {
  if (phase_ != Phase::kSettling) return;
  phase_ = Phase::kLeaving;
  handover_->leave([this] {
    if (phase_ != Phase::kLeaving) return;
    const Status moved = hand_over();
    moved ? finish() : fail(moved.error().message);
  });
}

// No host is left here, and nothing is read: from the first record to the last word nothing else
// happens in this process.
Status Upgrade::hand_over() {
  state_let_go_ = true;
  parts_.let_go();
  parts_.registry.close();
  parts_.registry.release();
  const auto send = [this](std::string_view record, int descriptor) {
    return channel_->send(record, descriptor);
  };
  Status status = handover_->send(send);
  if (status) status = channel_->flush();
  if (!status) return status;
  const auto frame = channel_->receive(kTakeMsMax);
  if (!frame) return frame.error();
  const auto reply = records::decode<records::Reply>(frame->bytes);
  if (!reply) return reply.error();
  if (!reply->failure.empty()) {
    return Error{ErrorCode::kConflict, "the new process refused: " + reply->failure};
  }
  status = channel_->send(encode(records::Go{}));
  return status ? channel_->flush() : status;
}

void Upgrade::finish() {
  handover_->let_go();
  phase_ = Phase::kDone;
  os::notify_manager("MAINPID=" + std::to_string(process_->pid()));
  const core::HandoverCounts& counts = handover_->counts();
  tell("done", "handed over " + counted(counts.sockets, "WebSocket") + ", " +
                   counted(counts.http, "HTTP connection") + " and " +
                   counted(counts.events, "waiting event") + " to process " +
                   std::to_string(process_->pid()) + "; this one ends");
  process_->release();
  gone_();
}

void Upgrade::on_exit(os::ExitStatus status) {
  if (phase_ != Phase::kStarting && phase_ != Phase::kSettling && phase_ != Phase::kLeaving) return;
  std::string why = "the new process ended with " + status.describe();
  // Its last words, if it had any.
  const auto frame = channel_->receive(0);
  if (frame) {
    const auto reply = records::decode<records::Reply>(frame->bytes);
    if (reply && !reply->failure.empty()) why = "the new process refused: " + reply->failure;
  }
  fail(why);
}

void Upgrade::pass_on(int signal) {
  if (done() && process_) process_->kill(signal);
}

void Upgrade::cancel() {
  if (phase_ == Phase::kDone) return;
  phase_ = Phase::kIdle;
  parts_.world.loop.cancel(limit_);
  readable_.reset();
  process_.reset();
}

void Upgrade::fail(const std::string& why) {
  if (phase_ == Phase::kFailing) return;
  phase_ = Phase::kFailing;
  // The new process may end while the hosts here still do: then everything is still held.
  const bool let_go = std::exchange(state_let_go_, false);
  parts_.world.loop.cancel(limit_);
  readable_.reset();
  // It must be gone before anything is taken back. Later: its end may be what is being told.
  if (process_) process_->kill(SIGKILL);
  std::shared_ptr<os::Process> ended(std::move(process_));
  parts_.world.loop.defer([this, ended, why, let_go, alive = std::weak_ptr(alive_)]() mutable {
    ended.reset();
    if (alive.expired()) return;
    if (let_go) {
      const Status back = parts_.registry.acquire(parts_.state);
      if (!back) parts_.report.say(core::Level::kError, back.error().message);
      parts_.take_back();
    }
    if (handover_) handover_->come_back();
    handover_.reset();
    channel_.reset();
    phase_ = Phase::kIdle;
    tell("failed", "the upgrade failed, and this hearth goes on: " + why);
  });
}

}  // namespace hearth::server
