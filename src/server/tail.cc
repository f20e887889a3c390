#include "server/tail.h"

#include <utility>

namespace hearth::server {
namespace {

std::string skipped_text(std::uint64_t skipped, std::int64_t wall_ms) {
  log::LogRecord record{.level = core::Level::kWarn, .wall_ms = wall_ms, .message = {}};
  record.message = std::to_string(skipped) + (skipped == 1 ? " line" : " lines") +
                   " skipped: this follower did not keep up";
  record.dropped = skipped;
  return log::json_text(record);
}

}  // namespace

bool TailFilter::takes(const log::LogRecord& record) const {
  if (record.level < level) return false;
  return agent.empty() || record.agent == agent || record.class_name == agent ||
         log::agent_label(record) == agent;
}

Tail::~Tail() {
  console_.remove_listener(*this);
  for (Follower& each : followers_) {
    each.responder.on_gone([] {});
    each.responder.end();
  }
}

void Tail::add_route(admin::Server& server) {
  server.add({.method = "GET",
              .path = "/_hearth/tail",
              .handle = [this](const admin::Request& request,
                               admin::Responder responder) { follow(request, responder); },
              .what = "the log as it is written (level, agent)"});
}

void Tail::follow(const admin::Request& request, const admin::Responder& responder) {
  TailFilter filter{.agent = request.field("agent")};
  if (request.has_field("level")) {
    const auto level = log::level_named(request.field("level"));
    if (!level) {
      return responder.fail(400, {}, "level is \"" + request.field("level") + "\"",
                            "debug, info, warn or error");
    }
    filter.level = *level;
  }
  if (followers_.size() >= kFollowersMax) {
    return responder.fail(503, {},
                          "the log has " + std::to_string(kFollowersMax) + " followers already");
  }
  if (!responder.stream()) return;
  if (followers_.empty()) console_.add_listener(*this);
  const auto follower = followers_.insert(followers_.end(), {responder, std::move(filter), 0});
  responder.on_gone([this, follower] { leave(follower); });
}

void Tail::leave(Followers::iterator follower) {
  followers_.erase(follower);
  if (followers_.empty()) console_.remove_listener(*this);
}

void Tail::on_record(const log::LogRecord& record) {
  std::string line;  // made once for all
  for (auto next = followers_.begin(); next != followers_.end();) {
    Follower& each = *next++;  // who turns out to have left goes
    if (!each.filter.takes(record)) continue;
    if (each.skipped > 0) {
      if (!each.responder.write(skipped_text(each.skipped, record.wall_ms))) {
        ++each.skipped;
        continue;
      }
      each.skipped = 0;
    }
    if (line.empty()) line = log::json_text(record);
    if (!each.responder.write(line)) ++each.skipped;
  }
}

}  // namespace hearth::server
