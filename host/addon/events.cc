#include "events.h"

#include <cstdio>
#include <cstdlib>

#include "host.h"
#include "values.h"
#include "wire/codec.h"

namespace hearth::addon {

namespace {

constexpr const char* kHandlerNames[] = {
#define X(name) #name,
    HEARTH_HANDLERS(X)
#undef X
};

// Values made for one event live in a scope of their own.
class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { napi_open_handle_scope(env_, &scope_); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

}  // namespace

Events::Events(Host& host, napi_value handlers) : host_(host), env_(host.env()) {
  napi_create_reference(env_, handlers, 1, &receiver_);
  for (int i = 0; i < static_cast<int>(Handler::kCount); ++i) {
    napi_value function = nullptr;
    napi_valuetype type = napi_undefined;
    if (napi_get_named_property(env_, handlers, kHandlerNames[i], &function) == napi_ok &&
        napi_typeof(env_, function, &type) == napi_ok && type == napi_function) {
      napi_create_reference(env_, function, 1, &functions_[i]);
    }
  }
}

Status Events::dispatch(std::string_view frame) {
  return wire::dispatch<wire::Direction::kToHost>(frame, *this);
}

void Events::call(Handler handler, std::initializer_list<napi_value> arguments) {
  napi_value receiver = nullptr;
  napi_value function = nullptr;
  napi_get_reference_value(env_, receiver_, &receiver);
  napi_ref reference = functions_[static_cast<int>(handler)];
  if (reference == nullptr || napi_get_reference_value(env_, reference, &function) != napi_ok ||
      function == nullptr) {
    std::fprintf(stderr, "hearth host: the runtime has no handler %s\n",
                 kHandlerNames[static_cast<int>(handler)]);
    return;
  }
  invoke(env_, receiver, function, arguments);
}

void Events::invoke(napi_env env, napi_value receiver, napi_value function,
                    std::initializer_list<napi_value> arguments) {
  napi_value result = nullptr;
  if (napi_make_callback(env, nullptr, receiver, function, arguments.size(), arguments.begin(),
                         &result) == napi_ok) {
    return;
  }
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) {
    napi_value exception = nullptr;
    napi_get_and_clear_last_exception(env, &exception);
    napi_fatal_exception(env, exception);
  }
}

void Events::commit_failed(napi_value database, std::string_view message) {
  HandleScope scope(env_);
  call(Handler::commitFailed, {database, make_text(env_, message)});
}

void Events::exit_process() {
  HandleScope scope(env_);
  napi_value global = nullptr;
  napi_value process = nullptr;
  napi_value exit = nullptr;
  napi_value result = nullptr;
  napi_value zero = make_number(env_, 0);
  if (napi_get_global(env_, &global) == napi_ok &&
      napi_get_named_property(env_, global, "process", &process) == napi_ok &&
      napi_get_named_property(env_, process, "exit", &exit) == napi_ok) {
    napi_make_callback(env_, nullptr, process, exit, 1, &zero, &result);
  }
  std::_Exit(0);  // process.exit was replaced, or threw
}

void Events::on(const wire::Configure& message) {
  HandleScope scope(env_);
  call(Handler::configure, {make_text(env_, message.json)});
}

void Events::on(const wire::Promote& message) {
  HandleScope scope(env_);
  host_.set_place(message.host_slot, message.generation);
  call(Handler::promote,
       {make_number(env_, message.host_slot), make_number(env_, message.generation),
        make_number(env_, message.host_count)});
}

void Events::on(const wire::Fetch& message) {
  HandleScope scope(env_);
  const bool whole = message.body_kind == static_cast<std::uint8_t>(wire::BodyKind::kWhole);
  call(Handler::fetch, {make_number(env_, message.slot),
                        make_number(env_, static_cast<double>(message.request.value)),
                        make_number(env_, message.flags), make_number(env_, message.body_kind),
                        make_text(env_, message.method), make_text(env_, message.url),
                        make_text(env_, message.headers), make_text(env_, message.client_address),
                        whole ? make_bytes(env_, message.body) : make_null(env_)});
}

void Events::on(const wire::BodyData& message) {
  HandleScope scope(env_);
  call(Handler::bodyData, {make_number(env_, static_cast<double>(message.request.value)),
                           make_bytes(env_, message.data)});
}

void Events::on(const wire::BodyEnd& message) {
  HandleScope scope(env_);
  call(Handler::bodyEnd, {make_number(env_, static_cast<double>(message.request.value))});
}

void Events::on(const wire::RequestGone& message) {
  HandleScope scope(env_);
  call(Handler::requestGone, {make_number(env_, static_cast<double>(message.request.value)),
                              make_text(env_, message.reason)});
}

void Events::on(const wire::ResponseCredit& message) {
  HandleScope scope(env_);
  call(Handler::responseCredit, {make_number(env_, static_cast<double>(message.request.value)),
                                 make_number(env_, message.bytes)});
}

void Events::on(const wire::SocketMessage& message) {
  HandleScope scope(env_);
  napi_value data = nullptr;
  switch (static_cast<wire::MessageKind>(message.kind)) {
    case wire::MessageKind::kAsciiText:
      data = make_ascii(env_, message.data);
      break;
    case wire::MessageKind::kText:
      data = make_text(env_, message.data);
      break;
    default:
      data = make_array_buffer(env_, message.data);
      break;
  }
  call(Handler::socketMessage,
       {make_number(env_, message.slot),
        make_number(env_, static_cast<double>(message.connection.value)), data});
}

void Events::on(const wire::SocketClosed& message) {
  HandleScope scope(env_);
  call(Handler::socketClosed, {make_number(env_, message.slot),
                               make_number(env_, static_cast<double>(message.connection.value)),
                               make_number(env_, message.code), make_text(env_, message.reason),
                               make_number(env_, message.clean)});
}

void Events::on(const wire::Alarm& message) {
  HandleScope scope(env_);
  call(Handler::alarm,
       {make_number(env_, message.slot), make_number(env_, message.agent.name_space),
        make_ascii(env_, message.agent.hex()), make_text(env_, message.name),
        make_number(env_, static_cast<double>(message.scheduled_ms)),
        make_number(env_, message.retries)});
}

void Events::on(const wire::AgentWake& message) {
  HandleScope scope(env_);
  const bool automatic = message.has_auto_response != 0;
  call(Handler::agentWake,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex()),
        make_text(env_, message.name),
        automatic ? make_text(env_, message.auto_request) : make_null(env_),
        automatic ? make_text(env_, message.auto_response) : make_null(env_),
        make_number(env_, message.sockets), make_number(env_, message.event_timeout_ms)});
}

void Events::on(const wire::AgentSocket& message) {
  HandleScope scope(env_);
  call(Handler::agentSocket,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex()),
        make_number(env_, static_cast<double>(message.connection.value)),
        make_text(env_, message.url), make_text(env_, message.protocol),
        make_text(env_, message.tags),
        message.attachment.empty() ? make_null(env_) : make_bytes(env_, message.attachment),
        make_number(env_, static_cast<double>(message.auto_response_ms))});
}

void Events::on(const wire::SleepAccepted& message) {
  HandleScope scope(env_);
  call(Handler::sleepAccepted,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex())});
}

void Events::on(const wire::AgentResume& message) {
  HandleScope scope(env_);
  call(Handler::agentResume,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex())});
}

void Events::on(const wire::AgentRehearse& message) {
  HandleScope scope(env_);
  call(Handler::agentRehearse,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex())});
}

void Events::on(const wire::AgentRefused& message) {
  HandleScope scope(env_);
  call(Handler::agentRefused,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex()),
        make_text(env_, message.message)});
}

void Events::on(const wire::ProbeAlarm& message) {
  HandleScope scope(env_);
  call(Handler::probeAlarm,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex())});
}

// Between two turns: what they wrote is committed, unless a transaction is open.
void Events::on(const wire::CopyDatabase& message) {
  const Status copied = host_.copy_database(std::string(message.from), std::string(message.to));
  wire::DatabaseCopied answer;
  answer.copy = message.copy;
  if (!copied) {
    const ErrorCode code = copied.error().code;
    answer.outcome =
        static_cast<std::uint8_t>(code == ErrorCode::kConflict   ? wire::CopyOutcome::kBusy
                                  : code == ErrorCode::kNotFound ? wire::CopyOutcome::kNoFile
                                                                 : wire::CopyOutcome::kFailed);
    answer.text = copied.error().message;
  }
  host_.link().send(answer);
}

void Events::on(const wire::Scheduled& message) {
  HandleScope scope(env_);
  call(Handler::scheduled, {make_number(env_, message.slot), make_text(env_, message.cron),
                            make_number(env_, static_cast<double>(message.scheduled_ms)),
                            make_number(env_, message.worker)});
}

void Events::on(const wire::PeerData& message) {
  HandleScope scope(env_);
  call(Handler::peerData, {make_number(env_, message.peer), make_bytes(env_, message.data)});
}

void Events::on(const wire::HostServes& message) {
  HandleScope scope(env_);
  call(Handler::hostServes,
       {make_number(env_, message.host_slot), make_number(env_, message.host)});
}

void Events::on(const wire::Leave&) {
  HandleScope scope(env_);
  call(Handler::leave, {});
}

void Events::on(const wire::AgentMove& message) {
  HandleScope scope(env_);
  call(Handler::agentMove,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex()),
        make_number(env_, message.patience_ms), make_number(env_, message.hurry)});
}

void Events::on(const wire::AgentElsewhere& message) {
  HandleScope scope(env_);
  call(Handler::agentElsewhere,
       {make_number(env_, message.agent.name_space), make_ascii(env_, message.agent.hex()),
        make_number(env_, message.host)});
}

void Events::on(const wire::PeerGone& message) {
  HandleScope scope(env_);
  call(Handler::peerGone, {make_number(env_, message.peer)});
}

void Events::on(const wire::Drain& message) {
  HandleScope scope(env_);
  call(Handler::drain, {make_number(env_, message.deadline_ms)});
}

void Events::on(const wire::DrainIfQuiet& message) {
  HandleScope scope(env_);
  call(Handler::drainIfQuiet, {make_number(env_, message.patience_ms)});
}

void Events::on(const wire::AutoResponded& message) {
  HandleScope scope(env_);
  call(Handler::autoResponded, {make_number(env_, static_cast<double>(message.connection.value)),
                                make_number(env_, static_cast<double>(message.at_ms))});
}

}  // namespace hearth::addon
