// What follows the death of a host for the agents that were at work there: they go on at once on
// the next host, and one that ends its hosts again and again may not run.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "core/engine.h"
#include "project/catalogue.h"

namespace hearth::core {

namespace {
// Of one host's end; the rest wait for their next event.
constexpr std::size_t kResumedMax = 1024;
// In succession, of one agent.
constexpr std::uint8_t kResumesMax = 3;
constexpr std::uint16_t kQuarantineClose = 4503;
constexpr std::uint32_t kQuarantineAlarmMs = 10'000;
}  // namespace

void Engine::on(Host& host, const wire::AgentWorking& message) {
  if (!known(host, message.agent)) return;
  Agent* agent = agents_.find(message.agent);
  if (agent == nullptr || agent->host != &host) return;
  agent->working = message.working != 0;
  agent->resumed = 0;
}

// The agent that a request's URL names, if it is among these.
const AgentId* Engine::named_in(const Event& event, const std::vector<LostAgent>& lost) const {
  const PendingRequest* request = requests_.find(event.subject);
  const std::optional<AgentPath> path = request ? agent_path(request->url) : std::nullopt;
  const Route* route = path ? router_.route(path->segment) : nullptr;
  if (route == nullptr) return nullptr;
  for (const LostAgent& each : lost) {
    if (each.id.name_space == route->name_space && each.name == path->name) return &each.id;
  }
  return nullptr;
}

// Whose code was on the host's stack when it ended: to be asked before its events are taken.
Engine::Culprit Engine::culprit_of(Host& host, const std::vector<LostAgent>& lost) const {
  const EventTable::Mark mark = host.events().mark();
  if (mark.known && (!mark.agent || mark.agent->name_space < deployment_.namespaces.size())) {
    return {true, mark.agent};
  }
  const Event* event = host.events().running();
  if (event == nullptr) return {};
  if (event->agent != nullptr) return {true, event->agent->id};
  const AgentId* named = event->kind == EventKind::kFetch ? named_in(*event, lost) : nullptr;
  return {true, named != nullptr ? std::optional(*named) : std::nullopt};
}

// The agent that keeps a living host busy, as far as that is known.
const Agent* Engine::at_work(Host& host) const {
  const EventTable::Mark mark = host.events().mark();
  if (mark.known) return mark.agent ? agents_.find(*mark.agent) : nullptr;
  const Event* event = host.events().at_work();
  return event != nullptr ? event->agent : nullptr;
}

// Whoever had something begun there, or work of its own, is to go on with it.
void Engine::note_interrupted(Host& host, const Culprit& culprit,
                              const std::vector<EventTable::Unfinished>& unfinished,
                              const std::vector<LostAgent>& lost) {
  if (stopping_) return;
  std::vector<Resume>& resumes = mailboxes_[host.slot].resumes;
  const auto add = [&](const AgentId& id) {
    const auto same = [&](const auto& each) { return each.id == id; };
    if (std::any_of(resumes.begin(), resumes.end(), same)) return;
    const auto before = std::find_if(lost.begin(), lost.end(), same);
    const std::uint8_t attempts = before == lost.end() ? std::uint8_t{0} : before->resumed;
    if (attempts < kResumesMax && resumes.size() < kResumedMax) resumes.push_back({id, attempts});
  };
  std::optional<AgentId> last;
  for (const EventTable::Unfinished& each : unfinished) {
    if (!each.begun) continue;
    const AgentId* id = nullptr;
    if (each.event.agent != nullptr) {
      id = &each.event.agent->id;
    } else if (each.event.kind == EventKind::kFetch) {
      id = named_in(each.event, lost);
    }
    if (id == nullptr) continue;
    last = *id;
    record(*id, LedgerKind::kBegun, cause_of(each.event.kind), {.host = host.number});
    add(*id);
  }
  for (const LostAgent& each : lost) {
    if (each.working || each.resumed > 0) add(each.id);
  }
  if (culprit.known) last = culprit.agent;
  if (!last || host.drained || leaving_ || host.looks_stopped > 0) return;
  const AgentId blamed = *last;
  const Agent* agent = agents_.find(blamed);
  std::string name = agent != nullptr ? agent->name : std::string();
  for (const LostAgent& each : lost) {
    if (each.id == blamed) name = each.name;
  }
  if (quarantine_.blame(blamed, name, world_.clock.steady_ms())) enter_quarantine(blamed, host);
}

// The next host is there. Those that an event has woken meanwhile have begun already.
void Engine::resume_agents(Host& host) {
  const std::vector<Resume> resumes = std::exchange(mailboxes_[host.slot].resumes, {});
  for (const auto& [id, attempts] : resumes) {
    if (quarantine_.holds(id)) continue;
    Agent& agent = agents_.get(id);
    if (agent.host != nullptr) continue;
    wake(host, agent, "the work that its host's end cut off");
    agent.resumed = static_cast<std::uint8_t>(attempts + 1);
    host.send(wire::AgentResume{id});
  }
}

// ---- code that blocks its event loop

// What the host's watching thread left (host/runtime/src/watcher), or nothing.
std::filesystem::path Engine::blocked_file(const Host& host) const {
  return options_.state / "cache" / ("blocked-" + std::to_string(host.pid()) + ".json");
}

std::string Engine::blocked_stack(const Host& host) const {
  const std::filesystem::path file = blocked_file(host);
  std::ifstream in(file);
  if (!in) return {};
  const auto json = nlohmann::json::parse(in, nullptr, false);
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (!json.is_object() || !json.contains("stack") || !json["stack"].is_string()) return {};
  return own_frames(json["stack"].get<std::string>());
}

// R416: in CPU time, so that a machine which is busy elsewhere ends nobody.
void Engine::end_overspent(Host& host, std::int64_t used_ms) {
  end_blocked(host, "R416: one turn of its event loop used " + std::to_string(used_ms) +
                        " ms of CPU time, and limits.cpu_ms allows " +
                        std::to_string(turn_limit_.limit_ms()));
}

void Engine::end_blocked(Host& host, std::string reason) {
  if (const Agent* agent = at_work(host)) reason += " by " + label(*agent);
  const std::string stack = blocked_stack(host);
  // The first frame's place, in brackets.
  const std::size_t open = stack.find('(');
  const std::size_t close = stack.find(')', open);
  const std::size_t line_end = std::min(stack.find('\n'), stack.size());
  std::string where;
  if (close < line_end) where = " at " + stack.substr(open + 1, close - open - 1);
  report_.say(Level::kError, "host " + std::to_string(host.number) + " is ended: " + reason +
                                 (stack.empty() ? "" : "\n" + stack));
  host.kill(reason + where);
}

// ---- quarantine

Fault Engine::quarantine_fault(const std::string& agent) const {
  Fault fault = fault_of(kQuarantinedCode, 503,
                         agent + " is quarantined: " + std::to_string(quarantine_.deaths_max()) +
                             " hosts in a minute ended while it was at work");
  mark_quarantined(fault);
  return fault;
}

void Engine::mark_quarantined(Fault& fault) {
  fault.status = 503;
  fault.fix = project::find_diagnostic(kQuarantinedCode)->cure;
  fault.stack.clear();
  fault.close = kQuarantineClose;
  fault.in_the_open = true;
}

std::string Engine::label(const AgentId& id, const std::string& name) const {
  const std::string& class_name = deployment_.namespaces[id.name_space].class_name;
  return class_name + "/" + (name.empty() ? id.hex().substr(0, 12) : name);
}

void Engine::enter_quarantine(const AgentId& id, const Host& host) {
  Agent& agent = agents_.get(id);
  const std::string name = label(agent);
  const Fault fault = quarantine_fault(name);
  const std::string message = fault.message + "; the last with: " + host.ending();
  report_.tell({.level = Level::kError,
                .message = message,
                .code = kQuarantinedCode,
                .agent = name,
                .fix = fault.fix});
  record(id, LedgerKind::kQuarantined, message);
  const std::string reason = close_reason(fault, options_.mode, "");
  std::vector<Connection*> connections;
  for (Connection* each = agent.first; each; each = each->next) {
    if (each->hibernatable && !each->orphaned && !each->early) connections.push_back(each);
  }
  for (Connection* each : connections) orphan(*each, kQuarantineClose, reason);
  if (Agent* rest = agents_.find(id)) agents_.drop_if_idle(*rest);
}

// The fault of a request whose URL names an agent that may not run.
std::optional<Fault> Engine::refused_agent(std::string_view url) const {
  if (quarantine_.empty()) return std::nullopt;
  const std::optional<AgentPath> path = agent_path(url);
  const Route* route = path ? router_.route(path->segment) : nullptr;
  if (route == nullptr || !quarantine_.holds(route->name_space, path->name)) return std::nullopt;
  return quarantine_fault(label(AgentId{route->name_space, {}}, std::string(path->name)));
}

// Code on a host calls an agent that may not run: its callers are told.
bool Engine::refuse_opened(Host& host, const wire::AgentOpened& message) {
  if (!quarantine_.holds(message.agent)) return false;
  host.send(wire::AgentRefused{
      message.agent,
      "R414 " + quarantine_fault(label(message.agent, std::string(message.name))).message});
  return true;
}

bool Engine::postpone_quarantined(const AgentId& id) {
  if (!quarantine_.holds(id)) return false;
  alarms_.postpone(id, kQuarantineAlarmMs);
  return true;
}

}  // namespace hearth::core
