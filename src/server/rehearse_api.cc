#include "server/rehearse_api.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "core/agent_file.h"
#include "core/state_access.h"
#include "os/files.h"
#include "server/rehearsal.h"
#include "server/rehearsal_copies.h"
#include "worker/package.h"

namespace hearth::server {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Outcome = RehearsedAgent::Outcome;

constexpr char kFolder[] = "rehearsal";
constexpr std::size_t kAgentsMax = 20;  // of a class, unless more are asked for
constexpr std::size_t kAgentsLimit = 1'000;
constexpr std::uint32_t kSecondsLimit = 60;

std::optional<std::size_t> number_of(const std::string& text, std::size_t otherwise,
                                     std::size_t limit) {
  if (text.empty()) return otherwise;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number >= 1 && number <= limit ? std::optional(number) : std::nullopt;
}

const char* outcome_text(Outcome outcome) {
  return outcome == Outcome::kWell     ? "started"
         : outcome == Outcome::kFailed ? "failed"
                                       : "not tried";
}

Json agent_json(const RehearsedAgent& agent, const core::NamespaceInfo& info) {
  Json json{{"class", info.class_name},
            {"uniqueKey", info.unique_key},
            {"id", agent.id.hex()},
            {"name", agent.name},
            {"outcome", outcome_text(agent.outcome)}};
  const core::Fault& fault = agent.fault;
  if (!fault.message.empty()) json["message"] = fault.message;
  if (!fault.where.empty()) json["where"] = fault.where;
  if (!fault.stack.empty()) json["stack"] = fault.stack;
  return json;
}

}  // namespace

void remove_rehearsal(const fs::path& state) {
  std::error_code ignored;
  fs::remove_all(state / kFolder, ignored);
}

struct RehearseApi::Job {
  admin::Responder responder;
  Rehearsal::Limits limits{};
  std::size_t agents_max = kAgentsMax;
  std::string package{};
  std::int64_t since_ms = 0;
  fs::path folder{};
  Result<Json> manifest = Json();
  Candidate candidate{};
  Choice choice{};
  std::vector<std::size_t> from_disk{};  // agents of classes that no host serves
  std::size_t copies_left = 0;
  std::vector<std::string> warnings{};
  std::vector<std::string> steps{};
  std::unique_ptr<Rehearsal> rehearsal{};
};

RehearseApi::RehearseApi(Parts parts, std::string refusal)
    : parts_(std::move(parts)), refusal_(std::move(refusal)) {}

RehearseApi::~RehearseApi() {
  *alive_ = false;
  beside_.join();
  if (job_) remove_rehearsal(parts_.state);
}

void RehearseApi::add_routes(admin::Server& server) {
  server.add({"POST", "/_hearth/rehearse",
              [this](const admin::Request& request, admin::Responder responder) {
                begin(request, responder);
              },
              worker::kPackageBytesMax,
              "a package of code: started on copies of agents; ?agents= of a class, &seconds= for "
              "one to start"});
}

void RehearseApi::beside(std::function<void()> work, void (RehearseApi::*after)()) {
  boost::asio::post(beside_, [this, alive = alive_, work = std::move(work), after] {
    work();
    boost::asio::post(parts_.loop, [this, alive, after] {
      if (!*alive) return;
      if (job_->responder.gone()) return end();
      (this->*after)();
    });
  });
}

void RehearseApi::begin(const admin::Request& request, const admin::Responder& responder) {
  if (!refusal_.empty()) return responder.fail(409, "", refusal_);
  if (job_) {
    return responder.fail(409, "", "another rehearsal is on its way", "Ask again when it is over.");
  }
  const auto agents = number_of(request.field("agents"), kAgentsMax, kAgentsLimit);
  const auto seconds =
      number_of(request.field("seconds"), Rehearsal::Limits{}.agent_ms_max / 1'000, kSecondsLimit);
  if (!agents || !seconds) {
    return responder.fail(400, "", "agents is a number from 1 to 1000, seconds one from 1 to 60");
  }
  job_ = std::make_shared<Job>(Job{responder});
  job_->agents_max = *agents;
  job_->limits.agent_ms_max = static_cast<std::uint32_t>(*seconds * 1'000);
  job_->package = request.body;
  job_->since_ms = parts_.world.clock.steady_ms();
  job_->folder = parts_.state / kFolder;
  beside(
      [job = job_, state = parts_.state] {
        remove_rehearsal(state);
        job->manifest = worker::unpack(job->package, job->folder / "version");
        job->package = {};
      },
      &RehearseApi::unpacked);
}

// Compared with the stored state as a deploy would be; nothing is recorded.
void RehearseApi::unpacked() {
  if (!job_->manifest) return refuse(400, job_->manifest.error().message);
  const Json& manifest = *job_->manifest;
  std::map<std::string, std::string> secrets;
  const Json given = manifest.value("secrets", Json::object());
  for (const auto& [name, value] : given.items()) {
    if (value.is_string()) secrets[name] = value.get<std::string>();
  }
  std::vector<std::string> confirmed;
  for (const Json& each : manifest.value("yesDelete", Json::array())) {
    if (each.is_string()) confirmed.push_back(each.get<std::string>());
  }
  auto candidate = parts_.deployer.candidate_of(manifest, job_->folder / "version", secrets,
                                                confirmed, Deployer::Purpose::kDeploy);
  if (!candidate) return refuse(409, candidate.error().message);
  job_->candidate = std::move(candidate).value();
  for (const project::MigrationPlan& plan : job_->candidate.plans) {
    for (const std::string& each : plan.warnings) job_->warnings.push_back(each);
    for (std::string& line : told_steps(plan)) job_->steps.push_back(std::move(line));
  }
  for (const std::string& name : parts_.deployer.missing_secrets()) {
    job_->warnings.push_back("the secret " + name + " has no value here (C118)");
  }
  beside(
      [job = job_, state = parts_.state] {
        const auto& namespaces = job->candidate.deployment.namespaces;
        job->choice = choose_agents(state, namespaces, job->agents_max);
        for (const core::NamespaceInfo& each : namespaces) {
          (void)os::make_directories(job->folder / "do" / each.unique_key).ok();
        }
      },
      &RehearseApi::copy);
}

void RehearseApi::copy() {
  const std::shared_ptr<Job> job = job_;
  if (job->choice.cut) {
    job->warnings.push_back(
        "some agents are too large to be copied: half of the free disk is kept");
  }
  job->copies_left = 1;
  const auto one_less = [this, alive = alive_, job] {
    if (*alive && --job->copies_left == 0) copy_from_disk();
  };
  for (std::size_t i = 0; i < job->choice.agents.size(); ++i) {
    ChosenAgent& chosen = job->choice.agents[i];
    const auto served = parts_.engine.agent_id(chosen.unique_key, chosen.id.hex());
    if (!served) {
      job->from_disk.push_back(i);
      continue;
    }
    const fs::path target = job->folder / "do" / chosen.unique_key / chosen.file.filename();
    for (const auto& [from, to] : core::copied_files(chosen.file, target)) {
      ++job->copies_left;
      const bool facet = to != target;
      parts_.engine.copy_database(
          *served, from, to, [job, i, facet, one_less](const Status& status) {
            const bool gone = facet && !status && status.error().code == ErrorCode::kNotFound;
            Status& copied = job->choice.agents[i].copied;
            if (!status && !gone && copied) copied = status;
            one_less();
          });
    }
  }
  one_less();
}

void RehearseApi::copy_from_disk() {
  if (job_->responder.gone()) return end();
  beside(
      [job = job_] {
        for (const std::size_t i : job->from_disk) {
          ChosenAgent& chosen = job->choice.agents[i];
          const fs::path target = job->folder / "do" / chosen.unique_key / chosen.file.filename();
          chosen.copied = core::copy_agent_file(chosen.file, target);
          if (!chosen.copied) continue;
          chosen.copied = core::copy_facets(core::facets_of(chosen.file), core::facets_of(target));
        }
      },
      &RehearseApi::rehearse);
}

void RehearseApi::rehearse() {
  std::vector<RehearsedAgent> agents;
  for (const ChosenAgent& each : job_->choice.agents) {
    const std::string name = parts_.registry.name_of(each.unique_key, each.id.hex());
    // One that was deleted meanwhile is none.
    if (!each.copied && each.copied.error().code == ErrorCode::kNotFound) continue;
    if (each.copied) {
      agents.push_back({.id = each.id, .name = name});
    } else {
      job_->warnings.push_back((name.empty() ? each.id.hex() : name) +
                               " could not be copied: " + each.copied.error().message);
    }
  }
  Json document = Json::parse(job_->candidate.deployment.worker_json);
  document["state"] = job_->folder.string();
  const admin::Responder responder = job_->responder;
  job_->rehearsal = std::make_unique<Rehearsal>(
      parts_.world, parts_.launcher, document.dump(), std::move(agents), job_->limits,
      [responder] { return responder.gone(); }, [this] { tell(); });
  job_->rehearsal->start();
}

void RehearseApi::tell() {
  const core::Fault& load = job_->rehearsal->load_fault();
  if (!load.message.empty()) {
    std::string text = load.message + (load.stack.empty() ? "" : "\n" + load.stack);
    if (!load.where.empty()) text += " (" + load.where + ")";
    return refuse(409, text, load.code, load.fix);
  }
  const auto& namespaces = job_->candidate.deployment.namespaces;
  Json agents = Json::array();
  Json classes = Json::array();
  bool ok = true;
  for (std::size_t number = 0; number < namespaces.size(); ++number) {
    std::size_t counts[3] = {0, 0, 0};
    for (const RehearsedAgent& each : job_->rehearsal->agents()) {
      if (each.id.name_space != number) continue;
      ++counts[static_cast<std::size_t>(each.outcome)];
      agents.push_back(agent_json(each, namespaces[number]));
    }
    ok = ok && counts[2] == 0;
    classes.push_back({{"class", namespaces[number].class_name},
                       {"uniqueKey", namespaces[number].unique_key},
                       {"agents", job_->choice.stored[number]},
                       {"tried", counts[1] + counts[2]},
                       {"started", counts[1]},
                       {"failed", counts[2]},
                       {"notTried", counts[0]}});
  }
  job_->responder.ok(Json{
      {"ok", ok},
      {"ms", parts_.world.clock.steady_ms() - job_->since_ms},
      {"classes", std::move(classes)},
      {"agents", std::move(agents)},
      {"steps", job_->steps},
      {"warnings",
       job_->warnings}}.dump(-1, ' ', false, Json::error_handler_t::replace));
  end();
}

// "S304: what is wrong" has its code in front.
void RehearseApi::refuse(std::uint16_t status, const std::string& text, std::string_view code,
                         std::string_view fix) {
  const bool coded = code.empty() && text.size() > 6 && text[4] == ':' && text[0] >= 'A';
  job_->responder.fail(status, coded ? std::string_view(text).substr(0, 4) : code,
                       coded ? std::string_view(text).substr(6) : std::string_view(text), fix);
  end();
}

void RehearseApi::end() {
  // The rehearsal may be on the stack; another one waits for the thread that removes this one.
  const std::shared_ptr<Job> over = std::exchange(job_, nullptr);
  parts_.world.loop.defer([over] { over->rehearsal.reset(); });
  boost::asio::post(beside_, [state = parts_.state] { remove_rehearsal(state); });
}

}  // namespace hearth::server
