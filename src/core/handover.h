// How one engine's clients become another's, in another process: what is on its way is let finish,
// the hosts drain, and everything that is known of sockets, agents and waiting events leaves as
// records (handover_records.h), each socket beside its own. Nothing is lost by it and nothing is
// twice: a message is either begun here or handed over, and no byte is read between the two.
//
// Either side may still fail while records are sent: then the one that leaves comes back, as if its
// hosts had died. Loop thread; owned by main, and does not outlive the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/engine.h"
#include "core/handover_records.h"
#include "net/handover.h"

namespace hearth::core {

struct HandoverCounts {
  std::uint64_t sockets = 0;
  std::uint64_t http = 0;
  std::uint64_t events = 0;
};

class EngineHandover {
 public:
  // `descriptor`: of the socket that goes with the record, or -1.
  using Send = std::function<Status(std::string_view record, int descriptor)>;

  EngineHandover(Engine& engine, net::Handover& network);

  // ---- the process that leaves, in this order
  // Waits, while everything goes on, for what is being answered or handled now; `limit_ms` at most.
  void settle(std::uint32_t limit_ms, std::function<void()> done);
  // From here on nothing new is read. Lets what has begun since end, for a moment, and drains the
  // hosts; `done` when there is none left.
  void leave(std::function<void()> done);
  // All records. Nothing else may happen before let_go() or come_back().
  Status send(const Send& send);
  void let_go() { network_.let_go(); }
  void come_back();
  std::size_t waits_for() const;
  const HandoverCounts& counts() const { return counts_; }

  // ---- the process that comes: the engine is held and has been deployed to
  Status take(std::string_view record, os::Descriptor carried);
  // All was taken: End has come, and nothing was missing.
  bool complete() const { return complete_; }
  std::int64_t held_at_ms() const { return held_at_ms_; }
  void go();

 private:
  struct Stragglers {
    std::unordered_set<std::uint64_t> requests;
    std::unordered_map<std::uint32_t, std::uint64_t> events;  // by host: the last number
  };

  void look_whether_settled();
  void look_whether_idle();
  bool busy_with_new();
  void drain();
  void conclude();
  Status send_agents(const Send& send);
  Status send_connections(const Send& send);
  Status send_events(const Send& send);
  std::optional<handover::EventRecord> record_of(const Event& event) const;

  Status take_core(std::string_view record, os::Descriptor carried);
  Status take_namespace(std::string_view record);
  Status take_agent(std::string_view record);
  Status take_socket(std::string_view record, os::Descriptor carried);
  Status take_event(std::string_view record);
  // In this process's numbers; nothing when the agent's class is not served here.
  std::optional<AgentId> translated(AgentId id) const;

  Engine& engine_;
  net::Handover& network_;
  Stragglers stragglers_;  // what was in hand when it began, and still is
  std::function<void()> done_;
  std::int64_t until_ms_ = 0;
  std::int64_t held_at_ms_ = 0;
  HandoverCounts counts_;
  std::uint64_t records_ = 0;
  std::unordered_map<std::uint16_t, std::uint16_t> namespaces_;  // theirs to ours
  std::uint16_t generation_ = 0;
  bool complete_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hearth::core
