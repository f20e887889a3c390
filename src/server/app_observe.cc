// What the program tells of itself on the admin interface: its log, its health, its env.
#include "project/project.h"
#include "server/app.h"
#include "server/environment.h"
#include "server/health.h"

namespace hearth::server {

void App::observe() {
  tail_ = std::make_unique<Tail>(console_);
  tail_->add_route(*admin_);
  admin_->add({.method = "GET",
               .path = "/_hearth/health",
               .handle =
                   [this](const admin::Request&, const admin::Responder& responder) {
                     const ServerHealth now = health();
                     responder.answer(now.engine.ready ? 200 : 503, health_json(now));
                   },
               .what = "whether it serves, hosts, memory, queues; 503 when it does not"});
  admin_->add({.method = "GET",
               .path = "/_hearth/metrics",
               .handle =
                   [this](const admin::Request&, const admin::Responder& responder) {
                     if (!responder.stream("text/plain; version=0.0.4; charset=utf-8")) return;
                     responder.write(health_metrics(health()));
                     responder.end();
                   },
               .what = "the same as figures, in Prometheus' form"});
  admin_->add({.method = "GET",
               .path = "/_hearth/env",
               .handle =
                   [this](const admin::Request& request, const admin::Responder& responder) {
                     const std::string worker = request.field("worker");
                     for (std::size_t i = 0; i < builds_.size(); ++i) {
                       if (!worker.empty() && builds_[i]->project().name != worker) continue;
                       return responder.ok(environment(i));
                     }
                     responder.fail(404, {}, "no worker is called \"" + worker + "\"");
                   },
               .what = "what each entry of env is, and what is wrong with it (worker)"});
}

ServerHealth App::health() const {
  ServerHealth now;
  now.engine = engine_->health();
  now.worker = first().name;
  now.mode = dev() ? "dev" : "serve";
  now.uptime_ms = clock_.steady_ms() - started_ms_;
  now.log_followers = tail_->followers();
  now.build = {.state = build_error_.empty() ? (serving_ ? "serving" : "none") : "broken",
               .wall_ms = deployed_wall_ms_,
               .bundle = builds_.front()->bundle(),
               .error = build_error_,
               .deploys = deploys_};
  console_.redactor().redact(now.build.error);
  console_.redactor().redact(now.engine.reason);
  return now;
}

std::string App::environment(std::size_t number) const {
  const project::Project& project = builds_[number]->project();
  const worker::CodeFacts& facts = builds_[number]->facts();
  // What the configuration says now, which may be broken since it was served.
  project::LoadOptions options = load_options();
  if (number > 0) {
    options.config = project.config_path;
    options.vars.clear();
    options.others.clear();
    for (const auto& each : builds_) {
      const auto& other = each->project().config_path;
      if (other != project.config_path) options.others.push_back(other);
    }
  }
  project::Inspection inspection = project::inspect(options);
  std::vector<project::Finding>& findings = inspection.findings;
  for (auto& each : worker::check_exports(project, facts)) findings.push_back(std::move(each));
  for (auto& each : worker::check_code(project, facts)) findings.push_back(std::move(each));
  return environment_json(project, facts, findings, inspection.others)
      .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace hearth::server
