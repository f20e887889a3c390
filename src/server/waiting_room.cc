#include "server/waiting_room.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "log/secret_files.h"
#include "server/state_check.h"

namespace hearth::server {

namespace {
constexpr std::uint32_t kLookMs = 300;
constexpr std::uint32_t kLeaveMs = 500;
constexpr std::uint32_t kRetryAfterS = 1;

project::LoadOptions load_options(const Options& options, const std::filesystem::path& config) {
  project::LoadOptions load;
  load.config = config;
  load.environment = options.environment;
  load.vars = options.vars;
  load.dev = true;
  return load;
}
}  // namespace

WaitingRoom::WaitingRoom(const Options& options) : options_(options) {}
WaitingRoom::~WaitingRoom() = default;

bool WaitingRoom::wait() {
  ::signal(SIGPIPE, SIG_IGN);
  const std::optional<project::Finding> finding = look();
  // With another server on the port there is nobody to tell but the terminal.
  if (!finding || !open()) return true;
  std::printf("  listening on http://%s:%u; whoever asks gets the finding until it is mended\n",
              options_.ip.empty() ? "127.0.0.1" : options_.ip.c_str(),
              static_cast<unsigned>(*port_));
  std::fflush(stdout);
  tell(*finding);
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    stopped_ = true;
    leave("the server is shutting down");
  });
  loop_.after(kLookMs, [this] { look_again(); });
  context_.run();
  return !stopped_;
}

std::optional<project::Finding> WaitingRoom::look() {
  std::vector<project::Project> projects;
  std::vector<std::filesystem::path> configs{options_.config};
  configs.insert(configs.end(), options_.others.begin(), options_.others.end());
  for (const std::filesystem::path& config : configs) {
    project::Inspection inspection = project::inspect(load_options(options_, config));
    if (inspection.project) projects.push_back(std::move(*inspection.project));
    if (inspection.project || inspection.config_path.empty()) continue;
    for (const project::Finding& each : inspection.findings) {
      if (each.weight == project::Weight::kFault) return each;
    }
  }
  if (projects.size() != configs.size()) return std::nullopt;
  const std::filesystem::path state = std::filesystem::absolute(
      options_.state.empty() ? projects.front().root / ".hearth" : options_.state);
  return state_contradiction(std::move(projects), state.lexically_normal(), loop_,
                             {.confirmed = options_.yes_delete, .tolerates_missing_tags = true});
}

bool WaitingRoom::open() {
  net::ServerOptions options;
  if (!options_.ip.empty()) options.address = options_.ip;
  options.port = options_.port.value_or(options.port);
  options.fault_body = core::request_fault_body;
  network_ = net::make_server(context_, options, *this);
  if (!network_->start()) return false;
  port_ = network_->port();
  return true;
}

void WaitingRoom::tell(const project::Finding& finding) {
  // An edit shows the lines around it, and clients are told of it.
  console_.hide(log::secrets_beside(finding.file));
  std::string text = project::sentence(finding);
  const std::filesystem::path root = finding.file.parent_path();
  std::string fix = project::diff_of(finding.edits, root);
  std::string message = finding.message;
  for (std::string* each : {&text, &fix, &message}) console_.redact(*each);
  std::string where = finding.file.filename().string();
  if (finding.at.line > 0) {
    where += ":" + std::to_string(finding.at.line) + ":" + std::to_string(finding.at.column);
  }
  fault_ = core::fault_of(finding.code, 503, message, fix);
  fault_.where = where;
  fault_.retry_after_s = kRetryAfterS;
  if (told_ == text) return;
  told_ = text;
  console_.say(core::Level::kError,
               "the configuration is broken\n  " + text + (fix.empty() ? "" : "\n" + fix));
}

void WaitingRoom::look_again() {
  if (stopped_) return;
  if (const std::optional<project::Finding> finding = look()) {
    tell(*finding);
    loop_.after(kLookMs, [this] { look_again(); });
    return;
  }
  console_.say(core::Level::kInfo, "the configuration is mended");
  leave("R413: the configuration is mended, and the code is starting");
}

void WaitingRoom::leave(std::string_view reason) {
  network_->stop(1012, reason, kLeaveMs, [this] { context_.stop(); });
}

void WaitingRoom::on_request(const net::Request& request) {
  if (request.upgrade) {
    const net::SocketId socket = network_->upgrade(request.id, {});
    if (!socket) return;
    network_->send(socket, net::MessageKind::kText,
                   core::render_frame(fault_, core::Mode::kDev, {}));
    network_->close(socket, fault_.close_code(), core::close_reason(fault_, core::Mode::kDev, {}));
    return;
  }
  const core::Answer answer =
      core::render(fault_, core::Mode::kDev, core::header_value(request.headers, "accept"), {});
  network_->respond(request.id, fault_.status, {}, answer.headers, answer.body);
}

}  // namespace hearth::server
