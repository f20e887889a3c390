#include "server/successor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "server/options.h"

namespace hearth::server {

namespace {
namespace records = core::handover;
constexpr int kOfferMsMax = 5'000;
// Between two records, and for the last word.
constexpr int kRecordMsMax = 15'000;
}  // namespace

std::unique_ptr<Successor> Successor::from_environment() {
  const char* given = std::getenv(kHandoverVariable);
  if (given == nullptr) return nullptr;
  const int descriptor = std::atoi(given);
  ::unsetenv(kHandoverVariable);  // hosts are to inherit nothing of it
  if (descriptor <= 2 || ::fcntl(descriptor, F_GETFD) < 0) return nullptr;
  return std::make_unique<Successor>(os::Descriptor(descriptor));
}

Status Successor::meet() {
  const auto frame = channel_.receive(kOfferMsMax);
  if (!frame) return frame.error();
  auto offer = records::decode<records::Offer>(frame->bytes);
  if (!offer) return offer.error();
  offer_ = std::move(offer).value();
  if (offer_.format <= records::kFormat) return {};
  return Error{ErrorCode::kConflict, "hearth " + offer_.version + " hands over in format " +
                                         std::to_string(offer_.format) + ", and this one (" +
                                         std::string(version()) + ") reads up to format " +
                                         std::to_string(records::kFormat) +
                                         ": stop that one, and start this one"};
}

void Successor::refuse(const std::string& why) {
  records::Reply reply;
  reply.version = version();
  reply.failure = why;
  if (channel_.send(encode(reply))) static_cast<void>(channel_.flush());
}

void Successor::ready(Parts parts, std::function<void()> taken,
                      std::function<void(std::string)> failed) {
  if (parts_) return;
  parts_.emplace(std::move(parts));
  taken_ = std::move(taken);
  failed_ = std::move(failed);
  records::Reply reply;
  reply.version = version();
  Status told = channel_.send(encode(reply));
  if (told) told = channel_.flush();
  if (!told) return failed_(told.error().message);
  const int copy = ::fcntl(channel_.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return failed_(os::system_error("dup").message);
  readable_ = std::make_unique<boost::asio::posix::stream_descriptor>(parts_->context, copy);
  readable_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                        [this](const boost::system::error_code& error) {
                          if (!error) take_over();
                        });
}

// From the first record to the last word this process does nothing else: nobody else serves either.
void Successor::take_over() {
  readable_.reset();
  handover_ = std::make_unique<core::EngineHandover>(parts_->engine, *parts_->network.handover());
  Status status = receive_all();
  if (!status) {
    refuse(status.error().message);
    return failed_(status.error().message);
  }
  records::Reply reply;
  reply.version = version();
  reply.sockets = handover_->counts().sockets;
  status = channel_.send(encode(reply));
  if (status) status = channel_.flush();
  if (status) status = await_go();
  if (!status) return failed_(status.error().message);
  taken_over_ = true;
  channel_.close();
  taken_();
  handover_->go();
  const core::HandoverCounts& counts = handover_->counts();
  parts_->report.say(
      core::Level::kInfo,
      "took over " + std::to_string(counts.sockets) + " WebSockets and " +
          std::to_string(counts.http) + " HTTP connections from hearth " + offer_.version +
          " (process " + std::to_string(offer_.process) + "); clients waited for " +
          std::to_string(parts_->clock.steady_ms() - handover_->held_at_ms()) + " ms");
}

Status Successor::receive_all() {
  bool first = true;
  while (!handover_->complete()) {
    auto frame = channel_.receive(kRecordMsMax);
    if (!frame && frame.error().code == ErrorCode::kNotFound) {
      return Error{ErrorCode::kNotFound, "the hearth that was to hand over ended before it had"};
    }
    if (!frame) return frame.error();
    // The other has let go of the state directory before its first record.
    if (std::exchange(first, false)) {
      const Status acquired = parts_->registry.acquire(parts_->state);
      if (!acquired) return acquired.error();
    }
    const Status taken = handover_->take(frame->bytes, std::move(frame->carried));
    if (!taken) return taken.error();
  }
  return {};
}

Status Successor::await_go() {
  const auto frame = channel_.receive(kRecordMsMax);
  // All is here, and whoever handed it over is no more.
  if (!frame && frame.error().code == ErrorCode::kNotFound) return {};
  if (!frame) return frame.error();
  const auto go = records::decode<records::Go>(frame->bytes);
  return go ? Status() : Status(go.error());
}

}  // namespace hearth::server
