// Calls between agents of the simulation, and agents that are asked to move.
#include <algorithm>

#include "core/simulation.h"

namespace hearth::core::testing {

// Hosts of other slots reach an agent through its slot's.
void Simulation::call_some(FakeHost& host) {
  const unsigned agent = pick(stored_.size());
  const unsigned slot = wire::owning_slot(stored_[agent].id.bytes, options_.supervisor.host_count);
  const auto its = [&](const Received& each) {
    return each.type == "Promote" && each.count == slot;
  };
  if (calm_ || life(host).over || !one_in(3)) return;
  if (std::any_of(host.received.begin(), host.received.end(), its)) call(host, agent);
}

// A call from inside begins in an agent that is awake; else the core is asked for the agent.
void Simulation::call(FakeHost& host, unsigned agent) {
  Life& its = life(host);
  if (!its.awake.contains(agent)) {
    if (++its.opening[agent] == 1)
      host.send(wire::AgentOpened{stored_[agent].id, stored_[agent].name});
    return;
  }
  ++counts.calls;
  check_alone(host, agent);
  its.asked.erase(agent);
  its.running.push_back({.place = 0, .agent = agent, .client = -2});
}

// What the core says of agents, and other hosts' calls.
void Simulation::take_word(FakeHost& host, const Received& word) {
  Life& its = life(host);
  if (word.type == "PeerData") {
    const unsigned agent = static_cast<unsigned>(word.text[0] - '0');
    its.hops[agent] = std::max(its.hops[agent], static_cast<unsigned>(word.text.size()));
    ASSERT_LT(its.hops[agent], 8u) << "a call finds its agent nowhere";
    return call(host, agent);
  }
  const unsigned agent = numbers_.at(word.agent);
  const int waiting = std::exchange(its.opening[agent], 0);
  if (word.type == "AgentElsewhere") {
    ASSERT_FALSE(its.awake.contains(agent)) << "an agent that is here is said to be elsewhere";
    for (int i = 0; i < waiting && word.count != 0; ++i) {
      ++counts.relays;
      // One character more at each hop.
      const std::string text = std::to_string(agent) + std::string(its.hops[agent], '.');
      host.send(wire::PeerSend{word.count, text});
    }
    its.hops.erase(agent);
    return;
  }
  its.hops.erase(agent);
  if (word.type == "AgentWake") {
    its.awake[agent] = 0;
    its.asked.erase(agent);
    for (int i = 0; i < waiting; ++i) call(host, agent);
    return;
  }
  its.opening[agent] = waiting;
  const auto called = [&](const Running& each) { return each.agent == agent && each.client == -2; };
  if (std::any_of(its.running.begin(), its.running.end(), called)) {
    // It was called meanwhile: it stays.
    return host.send(wire::AgentOpened{word.agent, stored_[agent].name});
  }
  ASSERT_FALSE(busy(its, agent)) << "an agent was put to sleep over an event";
  its.awake.erase(agent);
  its.asked.erase(agent);
}

// Those that are quiet are closed, and let go.
void Simulation::answer_moves(FakeHost& host) {
  Life& its = life(host);
  if (its.moving.empty() || its.over) return;
  auto which = its.moving.begin();
  std::advance(which, pick(its.moving.size()));
  const unsigned agent = *which;
  if (busy(its, agent)) {
    if (!one_in(8)) return;
    ++counts.refusals;
    host.send(wire::AgentStays{stored_[agent].id});
  } else {
    ++counts.moves;
    its.awake.erase(agent);
    its.asked.erase(agent);
    host.send(wire::AgentMoved{stored_[agent].id});
  }
  its.moving.erase(which);
}

}  // namespace hearth::core::testing
