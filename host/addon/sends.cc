#include "sends.h"

#include <limits>
#include <string>

#include "arguments.h"
#include "base/limits.h"
#include "database.h"
#include "host.h"
#include "values.h"
#include "wire/codec.h"

namespace hearth::addon {

namespace {

// What one frame may carry beside the fixed fields; a longer body is to be streamed.
constexpr std::size_t kPayloadBytesMax = kWireFrameBytesMax - 256 * 1024;

// Encodes and sends, now or when what `gate` has written is durable.
template <typename Message>
napi_value emit(const Arguments& arguments, Database* gate, const Message& message,
                std::size_t payload_bytes = 0) {
  if (!arguments.ok()) return nullptr;
  if (payload_bytes > kPayloadBytesMax) {
    napi_throw_range_error(arguments.env(), nullptr,
                           "one message to the core is limited to 39 MiB");
    return nullptr;
  }
  if (!arguments.host().started()) {
    napi_throw_error(arguments.env(), nullptr, "the host has not been started");
    return nullptr;
  }
  Link& link = arguments.host().link();
  if (gate == nullptr) {
    link.send(message);
  } else if (Status status = gate->emit(link, message); !status) {
    napi_throw_range_error(arguments.env(), nullptr, status.error().message.c_str());
  }
  return nullptr;
}

std::uint8_t text_or_binary(bool is_text) {
  return static_cast<std::uint8_t>(is_text ? wire::MessageKind::kText : wire::MessageKind::kBinary);
}

napi_value begun(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto slot = arguments.integer<std::uint32_t>(0);
  if (arguments.ok()) arguments.host().begun(slot);
  return nullptr;
}

napi_value done(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto slot = arguments.integer<std::uint32_t>(0);
  if (arguments.ok()) arguments.host().done(slot);
  return nullptr;
}

napi_value ready(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::Ready message{arguments.text(0)};
  return emit(arguments, nullptr, message, message.json.size());
}

napi_value load_failed(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::LoadFailed message{arguments.text(0)};
  return emit(arguments, nullptr, message, message.json.size());
}

napi_value respond(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  wire::Respond message;
  message.request = arguments.request(1);
  message.status = arguments.integer<std::uint16_t>(2);
  message.status_text = arguments.text(3);
  message.headers = arguments.text(4);
  message.body_kind = static_cast<std::uint8_t>(arguments.number(5, 2));
  bool is_text = false;
  if (!arguments.absent(6)) message.body = arguments.text_or_bytes(6, is_text);
  return emit(arguments, gate, message, message.headers.size() + message.body.size());
}

napi_value response_data(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::ResponseData message{arguments.request(1), arguments.bytes(2)};
  return emit(arguments, gate, message, message.data.size());
}

napi_value response_end(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::ResponseEnd message{arguments.request(1)};
  return emit(arguments, gate, message);
}

napi_value response_failed(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::ResponseFailed message{arguments.request(1), arguments.text(2)};
  // It tells of a failure, and nothing that was written: a client is not left waiting for it when
  // the failure is the database's own.
  if (gate != nullptr && gate->failure()) gate = nullptr;
  return emit(arguments, gate, message, message.json.size());
}

napi_value body_credit(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::BodyCredit message{arguments.request(0), arguments.integer<std::uint32_t>(1)};
  return emit(arguments, nullptr, message);
}

napi_value new_connection(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  return make_number(env, static_cast<double>(arguments.host().new_connection().value));
}

napi_value socket_open(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  wire::SocketOpen message;
  message.connection = arguments.connection(1);
  if (!arguments.absent(3)) message.agent = arguments.agent(2);
  message.flags = arguments.integer<std::uint8_t>(4);
  message.tags = arguments.text(5);
  message.attachment = arguments.bytes_or_null(6);
  return emit(arguments, gate, message, message.tags.size() + message.attachment.size());
}

napi_value respond_upgrade(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::RespondUpgrade message{arguments.request(1), arguments.connection(2),
                                     arguments.text(3)};
  return emit(arguments, gate, message, message.headers.size());
}

napi_value send(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  bool is_text = false;
  wire::Send message;
  message.connection = arguments.connection(1);
  message.data = arguments.text_or_bytes(2, is_text);
  message.kind = text_or_binary(is_text);
  return emit(arguments, gate, message, message.data.size());
}

napi_value send_many(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  std::uint32_t count = 0;
  if (arguments.ok() && napi_get_array_length(env, arguments.value(1), &count) != napi_ok) {
    arguments.fail(1, "an array of connections");
  }
  std::string connections;
  connections.reserve(sizeof(std::uint64_t) * count);
  for (std::uint32_t i = 0; arguments.ok() && i < count; ++i) {
    napi_value element = nullptr;
    double number = 0;
    if (napi_get_element(env, arguments.value(1), i, &element) != napi_ok ||
        napi_get_value_double(env, element, &number) != napi_ok ||
        !(number >= 0 && number < 0x1p53)) {
      arguments.fail(1, "an array of connections");
      break;
    }
    wire::detail::put(connections, static_cast<std::uint64_t>(number));
  }
  bool is_text = false;
  wire::SendMany message;
  message.connections = connections;
  message.data = arguments.text_or_bytes(2, is_text);
  message.kind = text_or_binary(is_text);
  return emit(arguments, gate, message, connections.size() + message.data.size());
}

napi_value close_socket(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::CloseSocket message{arguments.connection(1), arguments.integer<std::uint16_t>(2),
                                  arguments.text(3)};
  return emit(arguments, gate, message, message.reason.size());
}

napi_value attach(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::Attach message{arguments.connection(1), arguments.bytes_or_null(2)};
  return emit(arguments, gate, message, message.attachment.size());
}

napi_value auto_response(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  wire::AutoResponse message;
  message.agent = arguments.agent(1);
  message.enabled = arguments.absent(3) || arguments.absent(4) ? 0 : 1;
  message.request = arguments.text_or_null(3);
  message.response = arguments.text_or_null(4);
  return emit(arguments, gate, message, message.request.size() + message.response.size());
}

napi_value event_timeout(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::EventTimeout message{
      arguments.agent(1),
      static_cast<std::uint32_t>(arguments.number(3, std::numeric_limits<std::uint32_t>::max()))};
  return emit(arguments, gate, message);
}

napi_value agent_opened(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::AgentOpened message{arguments.agent(0), arguments.text(2)};
  return emit(arguments, nullptr, message, message.name.size());
}

napi_value agent_sleep(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::AgentSleep message{arguments.agent(0),
                                 arguments.number(2, std::uint64_t{1} << kIdBits)};
  return emit(arguments, nullptr, message);
}

// Without a copy: what JavaScript writes there is on the progress page.
napi_value marks(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  napi_value buffer = nullptr;
  void* words = arguments.host().marks();
  if (words == nullptr) {
    arguments.refuse("the host has not been started");
    return nullptr;
  }
  napi_create_external_arraybuffer(env, words, sizeof(wire::ProgressPage::Marks), nullptr, nullptr,
                                   &buffer);
  return buffer;
}

napi_value name_mark(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto place =
      static_cast<std::uint32_t>(arguments.number(0, wire::ProgressPage::kMarks - 1));
  const AgentId agent = arguments.agent(1);
  if (arguments.ok()) arguments.host().name_mark(place, agent);
  return nullptr;
}

// Databases are closed beside JavaScript: another process may open them when the core hears.
napi_value leaving(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (arguments.ok()) arguments.host().syncer().wait_idle();
  return emit(arguments, nullptr, wire::Leaving{});
}

// As above.
napi_value agent_moved(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::AgentMoved message{arguments.agent(0)};
  if (arguments.ok()) arguments.host().syncer().wait_idle();
  return emit(arguments, nullptr, message);
}

napi_value agent_stays(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::AgentStays message{arguments.agent(0)};
  return emit(arguments, nullptr, message);
}

napi_value agent_working(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::AgentWorking message{arguments.agent(0),
                                   static_cast<std::uint8_t>(arguments.number(2, 1))};
  return emit(arguments, nullptr, message);
}

napi_value agent_rehearsed(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::AgentRehearsed message{arguments.agent(0), arguments.text(2)};
  return emit(arguments, nullptr, message, message.json.size());
}

napi_value alarm_done(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::AlarmDone message{arguments.agent(1),
                                static_cast<std::uint8_t>(arguments.number(3, 2)),
                                arguments.signed_number(4)};
  return emit(arguments, gate, message);
}

napi_value peer_send(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Database* gate = arguments.gate(0);
  const wire::PeerSend message{arguments.integer<std::uint32_t>(1), arguments.bytes(2)};
  return emit(arguments, gate, message, message.data.size());
}

// Written at once: the turn that logs may never end, and what it said until then is what its author
// looks for.
napi_value log(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const wire::Log message{static_cast<std::uint8_t>(arguments.number(0, 3)), arguments.text(1)};
  napi_value result = emit(arguments, nullptr, message, message.json.size());
  // A core that is gone is noticed by the next read.
  if (arguments.ok() && arguments.host().started()) (void)arguments.host().link().flush();
  return result;
}

napi_value not_quiet(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  return emit(arguments, nullptr, wire::NotQuiet{});
}

napi_value drained(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (!arguments.host().started()) return emit(arguments, nullptr, wire::Drained{});
  arguments.host().drain();
  return nullptr;
}

constexpr Export kTransport[] = {
    {"marks", marks},
    {"nameMark", name_mark},
    {"begun", begun},
    {"done", done},
    {"ready", ready},
    {"loadFailed", load_failed},
    {"respond", respond},
    {"responseData", response_data},
    {"responseEnd", response_end},
    {"responseFailed", response_failed},
    {"bodyCredit", body_credit},
    {"newConnection", new_connection},
    {"socketOpen", socket_open},
    {"respondUpgrade", respond_upgrade},
    {"send", send},
    {"sendMany", send_many},
    {"closeSocket", close_socket},
    {"attach", attach},
    {"autoResponse", auto_response},
    {"eventTimeout", event_timeout},
    {"agentOpened", agent_opened},
    {"agentSleep", agent_sleep},
    {"leaving", leaving},
    {"agentMoved", agent_moved},
    {"agentStays", agent_stays},
    {"agentWorking", agent_working},
    {"agentRehearsed", agent_rehearsed},
    {"alarmDone", alarm_done},
    {"peerSend", peer_send},
    {"log", log},
    {"drained", drained},
    {"notQuiet", not_quiet},
};

}  // namespace

std::span<const Export> transport_exports() {
  return kTransport;
}

}  // namespace hearth::addon
