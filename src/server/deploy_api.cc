#include "server/deploy_api.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace hearth::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kWaitingMax = 8;  // each holds its package
constexpr std::chrono::milliseconds kLookAgain{25};

// "S304: what is wrong": the code by itself.
std::pair<std::string, std::string> parted(const std::string& message) {
  const bool coded = message.size() > 6 && message[4] == ':' && message[0] >= 'A';
  return coded ? std::pair(message.substr(0, 4), message.substr(6)) : std::pair("", message);
}

void fail(const admin::Responder& responder, std::uint16_t status, const std::string& text,
          std::string_view fix = {}) {
  const auto [code, message] = parted(text);
  responder.fail(status, code, message, fix);
}

}  // namespace

DeployApi::DeployApi(boost::asio::io_context& loop, const os::Clock& clock, Deployer& deployer,
                     worker::VersionStore& versions, std::string refusal,
                     std::function<bool()> leaving)
    : loop_(loop),
      timer_(loop),
      clock_(clock),
      deployer_(deployer),
      versions_(versions),
      refusal_(std::move(refusal)),
      leaving_(std::move(leaving)) {}

DeployApi::~DeployApi() {
  *alive_ = false;
  beside_.join();
}

void DeployApi::add_routes(admin::Server& server) {
  server.add({"POST", "/_hearth/deploy",
              [this](const admin::Request& request, admin::Responder responder) {
                deploy(request, responder);
              },
              worker::kPackageBytesMax, "a package of code: checked, switched to, settled"});
  server.add({"POST", "/_hearth/rollback",
              [this](const admin::Request& request, admin::Responder responder) {
                rollback(request, responder);
              },
              admin::kBodyBytesMax, "serve a version that is kept; ?id=, or the one before"});
  server.add({"GET", "/_hearth/versions",
              [this](const admin::Request&, admin::Responder responder) { list(responder); },
              admin::kBodyBytesMax, "the versions that are kept"});
}

// Those that come while a build is put into service wait for their turn.
void DeployApi::in_turn(const admin::Responder& responder, std::function<void()> turn) {
  if (!refusal_.empty()) return responder.fail(409, "", refusal_);
  if (leaving_()) {
    return responder.fail(503, "", "this hearth is being upgraded", "Ask again in a moment.");
  }
  if (waiting_.size() >= kWaitingMax) {
    return responder.fail(503, "", "several builds are waiting to be put into service",
                          "Ask again in a moment.");
  }
  waiting_.push_back(std::move(turn));
  next();
}

void DeployApi::next() {
  if (waiting_.empty()) return;
  if (unpacking_ || deployer_.busy()) {
    timer_.expires_after(kLookAgain);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) next();
    });
    return;
  }
  const std::function<void()> turn = std::move(waiting_.front());
  waiting_.pop_front();
  turn();
  next();
}

void DeployApi::deploy(const admin::Request& request, const admin::Responder& responder) {
  auto bytes = std::make_shared<std::string>(request.body);  // for the other thread
  in_turn(responder, [this, bytes, responder] { unpack_beside(bytes, responder); });
}

void DeployApi::unpack_beside(const std::shared_ptr<std::string>& bytes,
                              const admin::Responder& responder) {
  if (responder.gone()) return;
  unpacking_ = true;
  const std::int64_t now_ms = clock_.wall_ms();
  boost::asio::post(beside_, [this, alive = alive_, bytes, responder, now_ms] {
    auto kept = versions_.keep(*bytes, now_ms);
    boost::asio::post(loop_, [this, alive, responder, kept = std::move(kept)] {
      if (!*alive) return;
      unpacking_ = false;
      unpacked(kept, responder);
    });
  });
}

void DeployApi::unpacked(const Result<std::string>& version, const admin::Responder& responder) {
  if (!version) return responder.fail(version.error());
  std::vector<std::string> confirmed;
  if (const auto manifest = versions_.manifest(version.value())) {
    for (const Json& each : manifest->value("yesDelete", Json::array())) {
      if (each.is_string()) confirmed.push_back(each.get<std::string>());
    }
  }
  serve(version.value(), Deployer::Purpose::kDeploy, confirmed, responder);
}

void DeployApi::rollback(const admin::Request& request, const admin::Responder& responder) {
  in_turn(responder, [this, id = request.field("id"), responder] { roll_back(id, responder); });
}

void DeployApi::roll_back(const std::string& id, const admin::Responder& responder) {
  const auto version = versions_.find(id);
  if (!version) return responder.fail(version.error());
  if (version.value() == versions_.current()) {
    return responder.fail(409, "", "version " + version.value() + " is the current one");
  }
  serve(version.value(), Deployer::Purpose::kRollback, {}, responder);
}

void DeployApi::serve(const std::string& version, Deployer::Purpose purpose,
                      const std::vector<std::string>& confirmed,
                      const admin::Responder& responder) {
  auto candidate = deployer_.candidate(version, confirmed, purpose);
  const bool is_new = purpose == Deployer::Purpose::kDeploy;
  if (!candidate) {
    if (is_new) versions_.remove(version);
    return fail(responder, 409, candidate.error().message);
  }
  Json warnings = Json::array();
  for (const project::MigrationPlan& plan : candidate->plans) {
    for (const std::string& each : plan.warnings) warnings.push_back(each);
  }
  for (const std::string& name : deployer_.missing_secrets()) {
    warnings.push_back("the secret " + name +
                       " has no value here: give it with hearth deploy --secret " + name +
                       "=VALUE, or in this server's environment (C118)");
  }
  ++serving_;
  deployer_.deploy(std::move(candidate).value(), [this, responder, version, is_new,
                                                  warnings](const Outcome& outcome) {
    --serving_;
    if (!outcome.ok) {
      if (is_new) versions_.remove(version);
      std::string message = outcome.message;
      if (!outcome.where.empty()) message += " (" + outcome.where + ")";
      return responder.fail(409, outcome.code, message, outcome.fix);
    }
    responder.ok(Json{
        {"version", version}, {"ms", outcome.ms}, {"steps", outcome.steps}, {"warnings", warnings}}
                     .dump());
  });
}

void DeployApi::list(const admin::Responder& responder) const {
  responder.ok(versions_.listed().dump());
}

}  // namespace hearth::server
