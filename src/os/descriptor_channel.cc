#include "os/descriptor_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hearth::os {

namespace {
// The system takes 253 in one message, and counts those that are on their way against the limit on
// open descriptors.
constexpr std::size_t kCarriedMax = 64;
constexpr std::size_t kGatheredBytesMax = 256 * 1024;
constexpr std::size_t kFrameBytesMax = 512 * 1024 * 1024;
constexpr std::size_t kHeaderBytes = 5;  // u32 size of the frame, u8 descriptors that it carries
constexpr int kSendWaitMs = 10'000;
constexpr int kCrowdedMs = 2;

bool wait_for(int descriptor, short events, int wait_ms) {
  pollfd one{descriptor, events, 0};
  for (;;) {
    const int count = ::poll(&one, 1, wait_ms);
    if (count < 0 && errno == EINTR) continue;
    return count > 0;
  }
}
}  // namespace

DescriptorChannel::DescriptorChannel(Descriptor socket) : socket_(std::move(socket)) {
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
  ::fcntl(socket_.get(), F_SETFD, FD_CLOEXEC);
}

Status DescriptorChannel::send(std::string_view frame, int carried) {
  const auto size = static_cast<std::uint32_t>(frame.size());
  char header[kHeaderBytes];
  std::memcpy(header, &size, sizeof size);
  header[4] = carried >= 0 ? 1 : 0;
  out_.append(header, sizeof header).append(frame);
  if (carried >= 0) out_carried_.push_back(carried);
  if (out_carried_.size() >= kCarriedMax || out_.size() >= kGatheredBytesMax) return flush();
  return {};
}

Status DescriptorChannel::flush() {
  if (out_.empty()) return {};
  const Status sent = write_out(out_, out_carried_);
  out_.clear();
  out_carried_.clear();
  return sent;
}

// The descriptors go with the first byte: they are there before the frames that they belong to are
// whole.
Status DescriptorChannel::write_out(std::string_view bytes, const std::vector<int>& descriptors) {
  bool carried = descriptors.empty();
  while (!bytes.empty()) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(kCarriedMax * sizeof(int))];
    if (!carried) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
      std::memset(control, 0, sizeof control);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
    }
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (count > 0) {
      carried = true;
      bytes.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == ETOOMANYREFS) {
      ::poll(nullptr, 0, kCrowdedMs);  // until the other has taken some
      continue;
    }
    if (count < 0 && errno != EAGAIN) return system_error("sendmsg");
    if (!wait_for(socket_.get(), POLLOUT, kSendWaitMs)) {
      return Error{ErrorCode::kIo, "the other process takes nothing any more"};
    }
  }
  return {};
}

Status DescriptorChannel::read_more(int wait_ms) {
  if (taken_ > 0) {
    in_.erase(0, taken_);
    taken_ = 0;
  }
  const std::size_t before = in_.size();
  for (;;) {
    in_.resize(before + kGatheredBytesMax);
    iovec part{in_.data() + before, kGatheredBytesMax};
    alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    in_.resize(before + (count > 0 ? static_cast<std::size_t>(count) : 0));
    if (count >= 0) {
      for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t bytes = at->cmsg_len - CMSG_LEN(0);
        for (std::size_t i = 0; i < bytes / sizeof(int); ++i) {
          int number;
          std::memcpy(&number, CMSG_DATA(at) + i * sizeof number, sizeof number);
          in_carried_.emplace_back(number);
        }
      }
      if ((message.msg_flags & MSG_CTRUNC) != 0) {
        return Error{ErrorCode::kIo, "this process may open no more descriptors"};
      }
      if (count == 0) return Error{ErrorCode::kNotFound, "the other process closed"};
      return {};
    }
    if (errno == EINTR) continue;
    if (errno == ECONNRESET) return Error{ErrorCode::kNotFound, "the other process closed"};
    if (errno != EAGAIN) return system_error("recvmsg");
    if (!wait_for(socket_.get(), POLLIN, wait_ms)) {
      return Error{ErrorCode::kIo,
                   "nothing came for " + std::to_string(wait_ms / 1000) + " seconds"};
    }
  }
}

Result<DescriptorChannel::Frame> DescriptorChannel::receive(int wait_ms) {
  for (;;) {
    const std::string_view have = std::string_view(in_).substr(taken_);
    if (have.size() >= kHeaderBytes) {
      std::uint32_t size;
      std::memcpy(&size, have.data(), sizeof size);
      const bool carries = have[4] != 0;
      if (size > kFrameBytesMax || (carries && in_carried_.empty())) {
        return Error{ErrorCode::kIo, "what came is no frame"};
      }
      if (have.size() - kHeaderBytes >= size) {
        Frame frame{std::string(have.substr(kHeaderBytes, size)), {}};
        taken_ += kHeaderBytes + size;
        if (carries) {
          frame.carried = std::move(in_carried_.front());
          in_carried_.pop_front();
        }
        return frame;
      }
    }
    if (const Status more = read_more(wait_ms); !more) return more.error();
  }
}

}  // namespace hearth::os
