// Frames from the core become calls of the runtime's handlers (host/runtime/src/addon.ts): one call
// per event, after which microtasks and nextTick callbacks drain. JavaScript thread only.
#pragma once

#include <node_api.h>

#include <initializer_list>
#include <string_view>

#include "base/result.h"
#include "wire/messages.h"

namespace hearth::addon {

class Host;

// The handlers by their JavaScript names, in one list.
#define HEARTH_HANDLERS(X)                                                             \
  X(configure)                                                                         \
  X(promote)                                                                           \
  X(fetch)                                                                             \
  X(bodyData)                                                                          \
  X(bodyEnd)                                                                           \
  X(requestGone)                                                                       \
  X(responseCredit)                                                                    \
  X(socketMessage)                                                                     \
  X(socketClosed)                                                                      \
  X(alarm)                                                                             \
  X(agentWake)                                                                         \
  X(agentSocket)                                                                       \
  X(sleepAccepted)                                                                     \
  X(probeAlarm)                                                                        \
  X(scheduled)                                                                         \
  X(peerData)                                                                          \
  X(peerGone) X(drain) X(autoResponded) X(commitFailed) X(agentResume) X(agentRefused) \
      X(agentRehearse) X(drainIfQuiet) X(hostServes) X(leave) X(agentMove) X(agentElsewhere)

class Events {
 public:
  enum class Handler {
#define X(name) name,
    HEARTH_HANDLERS(X)
#undef X
        kCount
  };

  // Throws nothing; a handler that is missing is reported when its event comes.
  Events(Host& host, napi_value handlers);

  Status dispatch(std::string_view frame);
  // Calls a function from the loop or from within JavaScript. What it throws goes the way of an
  // uncaught exception.
  static void invoke(napi_env env, napi_value receiver, napi_value function,
                     std::initializer_list<napi_value> arguments);
  void commit_failed(napi_value database, std::string_view message);
  // process.exit(0), so that what user code registered for it runs.
  [[noreturn]] void exit_process();

  // For wire::dispatch.
  void on(const wire::Configure& message);
  void on(const wire::Promote& message);
  void on(const wire::Fetch& message);
  void on(const wire::BodyData& message);
  void on(const wire::BodyEnd& message);
  void on(const wire::RequestGone& message);
  void on(const wire::ResponseCredit& message);
  void on(const wire::SocketMessage& message);
  void on(const wire::SocketClosed& message);
  void on(const wire::Alarm& message);
  void on(const wire::AgentWake& message);
  void on(const wire::AgentSocket& message);
  void on(const wire::SleepAccepted& message);
  void on(const wire::AgentResume& message);
  void on(const wire::AgentRefused& message);
  void on(const wire::AgentRehearse& message);
  void on(const wire::ProbeAlarm& message);
  void on(const wire::Scheduled& message);
  void on(const wire::PeerData& message);
  void on(const wire::PeerGone& message);
  void on(const wire::HostServes& message);
  void on(const wire::Leave& message);
  void on(const wire::AgentMove& message);
  void on(const wire::AgentElsewhere& message);
  void on(const wire::Drain& message);
  void on(const wire::DrainIfQuiet& message);
  void on(const wire::AutoResponded& message);
  void on(const wire::CopyDatabase& message);

 private:
  void call(Handler handler, std::initializer_list<napi_value> arguments);

  Host& host_;
  napi_env env_;
  napi_ref receiver_ = nullptr;
  napi_ref functions_[static_cast<int>(Handler::kCount)] = {};
};

}  // namespace hearth::addon
