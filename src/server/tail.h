// GET /_hearth/tail: the log as it is written, one JSON object a line, to whoever follows it
// (`hearth tail`). Query: `level` (the least; default: all), `agent` (a name, a class, or
// "Class/name"). A follower that does not keep up loses lines, never time of the server's, and is
// told how many with the next that it gets. Owned by the App, which outlives no part of it; loop
// thread.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "admin/server.h"
#include "log/console.h"

namespace hearth::server {

// What one follower wants to see.
struct TailFilter {
  core::Level level = core::Level::kDebug;
  std::string agent;  // empty: all, and hearth's own lines
  bool takes(const log::LogRecord& record) const;
};

class Tail final : log::LogListener {
 public:
  static constexpr std::size_t kFollowersMax = 32;

  explicit Tail(log::Console& console) : console_(console) {}
  ~Tail() override;
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;

  void add_route(admin::Server& server);
  std::size_t followers() const { return followers_.size(); }

 private:
  struct Follower {
    admin::Responder responder;
    TailFilter filter;
    std::uint64_t skipped = 0;
  };
  using Followers = std::list<Follower>;

  void on_record(const log::LogRecord& record) override;
  void follow(const admin::Request& request, const admin::Responder& responder);
  void leave(Followers::iterator follower);

  log::Console& console_;
  Followers followers_;
};

}  // namespace hearth::server
