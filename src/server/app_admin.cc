// The program's admin interface: where it listens, and which parts answer there.
#include <cstdio>

#include "admin/agents_api.h"
#include "admin/state_api.h"
#include "server/app.h"

namespace hearth::server {

bool App::start_admin() {
  admin_ = std::make_unique<admin::Server>(context_);
  admin::add_agent_routes(*admin_, {.engine = *engine_,
                                    .registry = *registry_,
                                    .ledger = *ledger_,
                                    .writer = *ledger_writer_,
                                    .loop = loop_,
                                    .state = state_});
  admin::add_state_routes(*admin_, {*engine_, *registry_, state_});
  observe();
  deploy_api_->add_routes(*admin_);
  rehearse_api_->add_routes(*admin_);
  if (const Status status = admin_->listen_unix(state_); !status) {
    // Some file systems have no sockets; agents are served all the same.
    console_.say(
        core::Level::kWarn,
        "commands such as `hearth agents` will not reach this server: " + status.error().message);
  }
  if (options_.admin.empty()) return true;
  const auto endpoint = admin::parse_endpoint(options_.admin);
  const Status status =
      endpoint ? admin_->listen_tcp(*endpoint, options_.admin_token) : Status(endpoint.error());
  if (!status) fail("the admin interface: " + status.error().message);
  return status.ok();
}

void App::tell_admin() {
  if (admin_->port() == 0) return;
  const auto endpoint = admin::parse_endpoint(options_.admin);
  const std::string ip =
      endpoint->ip.find(':') == std::string::npos ? endpoint->ip : "[" + endpoint->ip + "]";
  std::printf("  admin on http://%s:%u%s\n", ip.c_str(), admin_->port(),
              options_.admin_token.empty() ? "" : ", with a token");
  std::fflush(stdout);
}

}  // namespace hearth::server
