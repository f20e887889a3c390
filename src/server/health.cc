#include "server/health.h"

#include <time.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/options.h"

namespace hearth::server {
namespace {

using Json = nlohmann::ordered_json;

// Escaped as a label's value.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

class Metrics {
 public:
  void gauge(const char* name, const char* help) { head(name, help, "gauge"); }
  void counter(const char* name, const char* help) { head(name, help, "counter"); }
  void value(const std::string& labels, double number) {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", number);
    out_ += name_ + (labels.empty() ? "" : "{" + labels + "}") + " " + text + "\n";
  }
  std::string take() { return std::move(out_); }

 private:
  void head(const char* name, const char* help, const char* type) {
    name_ = std::string("hearth_") + name;
    out_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }
  std::string name_;
  std::string out_;
};

double number_of(std::size_t value) {
  return static_cast<double>(value);
}

double own_cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

std::string labels_of(const core::HostHealth& host) {
  return "process=\"host\",number=\"" + std::to_string(host.number) + "\",state=\"" +
         std::string(host.state) + "\"";
}

}  // namespace

std::uint64_t resident_bytes(int pid) {
  if (pid <= 0) return 0;
  std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/statm").c_str(), "re");
  if (file == nullptr) return 0;
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  const int got = std::fscanf(file, "%" SCNu64 " %" SCNu64, &total, &resident);
  std::fclose(file);
  return got == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::string health_json(const ServerHealth& health) {
  const core::Health& engine = health.engine;
  Json json{{"status", engine.ready ? "ready" : "not ready"}};
  if (!engine.reason.empty()) json["reason"] = engine.reason;
  json["version"] = version();
  json["worker"] = health.worker;
  json["mode"] = health.mode;
  json["pid"] = ::getpid();
  json["uptimeMs"] = health.uptime_ms;
  json["memoryBytes"] = resident_bytes(::getpid());
  json["cpuMs"] = static_cast<std::uint64_t>(own_cpu_seconds() * 1'000);
  if (engine.host_cpu_percent > 0) json["hostCpuPercent"] = engine.host_cpu_percent;
  json["hosts"] = Json::array();
  for (const core::HostHealth& each : engine.hosts) {
    Json host{{"number", each.number}, {"state", each.state}};
    if (each.state == "active" || each.state == "draining") host["slot"] = each.slot;
    host["pid"] = each.pid;
    host["memoryBytes"] = resident_bytes(each.pid);
    host["cpuMs"] = each.cpu_ms;
    if (engine.host_cpu_percent > 0) host["heldMs"] = each.held_ms;
    if (each.state == "active") {
      host["activeMs"] = each.active_ms;
      host["inFlight"] = each.in_flight;
    }
    json["hosts"].push_back(std::move(host));
  }
  json["slots"] = Json::array();
  for (const core::SlotHealth& each : engine.slots) {
    json["slots"].push_back({{"served", each.served}, {"waiting", each.waiting}});
  }
  json["agentsAwake"] = engine.agents_awake;
  json["connections"] = engine.connections;
  json["requests"] = engine.requests;
  Json build{{"state", health.build.state}, {"deploys", health.build.deploys}};
  if (health.build.wall_ms > 0) build["deployedAtMs"] = health.build.wall_ms;
  if (!health.build.bundle.empty()) build["bundle"] = health.build.bundle;
  if (!health.build.error.empty()) build["error"] = health.build.error;
  json["build"] = std::move(build);
  json["logFollowers"] = health.log_followers;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string health_metrics(const ServerHealth& health) {
  const core::Health& engine = health.engine;
  Metrics metrics;
  metrics.gauge("info", "Always 1.");
  metrics.value("version=\"" + label(version()) + "\",worker=\"" + label(health.worker) + "\"", 1);
  metrics.gauge("ready", "1 when every host slot is served.");
  metrics.value("", engine.ready ? 1 : 0);
  metrics.gauge("uptime_seconds", "Since the start of the core.");
  metrics.value("", static_cast<double>(health.uptime_ms) / 1000.0);
  metrics.gauge("build_broken", "1 when the last build did not succeed.");
  metrics.value("", health.build.state == "broken" ? 1 : 0);
  metrics.counter("deploys_total", "Bundles that were put into service.");
  metrics.value("", static_cast<double>(health.build.deploys));
  metrics.gauge("agents_awake", "Agents that are on a host.");
  metrics.value("", number_of(engine.agents_awake));
  metrics.gauge("connections", "Open WebSockets.");
  metrics.value("", number_of(engine.connections));
  metrics.gauge("requests", "Requests that are not answered in full.");
  metrics.value("", number_of(engine.requests));
  metrics.gauge("events_waiting", "Events that no host has been given yet.");
  for (std::size_t slot = 0; slot < engine.slots.size(); ++slot) {
    metrics.value("slot=\"" + std::to_string(slot) + "\"", number_of(engine.slots[slot].waiting));
  }
  metrics.gauge("events_in_flight", "Events that the slot's host has not finished.");
  for (const core::HostHealth& each : engine.hosts) {
    if (each.state != "active") continue;
    metrics.value("slot=\"" + std::to_string(each.slot) + "\"", number_of(each.in_flight));
  }
  metrics.gauge("memory_bytes", "Resident memory.");
  metrics.value("process=\"core\"", static_cast<double>(resident_bytes(::getpid())));
  for (const core::HostHealth& each : engine.hosts) {
    metrics.value(labels_of(each), static_cast<double>(resident_bytes(each.pid)));
  }
  metrics.counter("cpu_seconds_total", "CPU time that the process has used.");
  metrics.value("process=\"core\"", own_cpu_seconds());
  for (const core::HostHealth& each : engine.hosts) {
    metrics.value(labels_of(each), static_cast<double>(each.cpu_ms) / 1000.0);
  }
  if (engine.host_cpu_percent == 0) return metrics.take();
  metrics.counter("cpu_held_seconds_total", "For how long the host was held to --host-cpu.");
  for (const core::HostHealth& each : engine.hosts) {
    metrics.value(labels_of(each), static_cast<double>(each.held_ms) / 1000.0);
  }
  return metrics.take();
}

}  // namespace hearth::server
