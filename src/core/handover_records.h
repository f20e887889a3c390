// What one hearth tells another that takes its place, in records: each a type and numbered fields,
// so that a newer program reads an older one's (a field that is absent keeps its default, one that
// is not known is passed over). An older program meets a newer one's format in the first record,
// and refuses it there, while nothing has changed yet. Pure; docs/wire.md has the order of records.
//
// Encoded: u8 type, then for each field (but empty texts) u8 number, little-endian u32 size,
// content. Numbers are little-endian without their leading zeros.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "net/handover.h"

namespace hearth::core::handover {

// Raised when an older program would misread a newer one's records; new fields alone do not.
inline constexpr std::uint32_t kFormat = 1;

enum class RecordType : std::uint8_t {
  kOffer = 1,
  kReply = 2,
  kCore = 3,
  kNamespace = 4,
  kAgent = 5,
  kSocket = 6,
  kHttp = 7,
  kEvent = 8,
  kResume = 9,
  kProbe = 10,
  kEnd = 11,
  kGo = 12,
};

// The first word of the process that leaves.
struct Offer {
  static constexpr RecordType kType = RecordType::kOffer;
  std::uint32_t format = kFormat;
  std::string version;  // of the program, for people
  std::string state;    // the state directory
  std::uint64_t process = 0;
  template <typename Fields>
  void fields(Fields& at) {
    at(1, format), at(2, version), at(3, state), at(4, process);
  }
};

// What the process that comes has to say, whenever it is its turn; `failure` says why it cannot.
struct Reply {
  static constexpr RecordType kType = RecordType::kReply;
  std::string version;
  std::string failure;
  std::uint64_t sockets = 0;  // taken over
  template <typename Fields>
  void fields(Fields& at) {
    at(1, version), at(2, failure), at(3, sockets);
  }
};

// Comes with the listening socket.
struct Core {
  static constexpr RecordType kType = RecordType::kCore;
  std::uint16_t generation = 0;  // the highest that a host slot has had
  std::int64_t held_at_ms = 0;   // since when nothing is read; of the machine's steady clock
  template <typename Fields>
  void fields(Fields& at) {
    at(1, generation), at(2, held_at_ms);
  }
};

// Agents are named by the number of a namespace in this list.
struct Namespace {
  static constexpr RecordType kType = RecordType::kNamespace;
  std::uint16_t number = 0;
  std::string unique_key;
  template <typename Fields>
  void fields(Fields& at) {
    at(1, number), at(2, unique_key);
  }
};

struct AgentRecord {
  static constexpr RecordType kType = RecordType::kAgent;
  AgentId id;
  std::string name;
  bool has_auto_response = false;
  std::string auto_request;
  std::string auto_response;
  std::uint32_t event_timeout_ms = 0;
  template <typename Fields>
  void fields(Fields& at) {
    at(1, id), at(2, name), at(3, has_auto_response), at(4, auto_request), at(5, auto_response);
    at(6, event_timeout_ms);
  }
};

template <typename Fields>
void net_fields(Fields& at, net::ConnectionState& state) {
  at(30, state.web_socket), at(31, state.input), at(32, state.output);
  at(33, state.output_started), at(34, state.window_bits), at(35, state.silent_ms);
  at(36, state.pinged), at(37, state.pong_owed), at(38, state.close_sent), at(39, state.pong);
  net::DecoderState& decoder = state.decoder;
  at(50, decoder.message), at(51, decoder.control), at(52, decoder.head);
  at(53, decoder.remaining), at(54, decoder.mask), at(55, decoder.utf8), at(56, decoder.phase);
  at(57, decoder.opcode), at(58, decoder.message_opcode), at(59, decoder.compressed);
  at(60, decoder.final), at(61, decoder.in_payload);
}

// A WebSocket of an agent; comes with its socket if `open`.
struct SocketRecord {
  static constexpr RecordType kType = RecordType::kSocket;
  bool open = false;  // else the client is gone, and its agent has yet to be told (an Event)
  ConnectionId id;
  AgentId agent;
  std::string url;
  std::string protocol;
  std::string tags;
  std::string attachment;
  std::int64_t auto_response_ms = -1;
  std::uint64_t messages = 0;  // that have come from the client
  net::ConnectionState state;
  template <typename Fields>
  void fields(Fields& at) {
    at(1, open), at(2, id.value), at(3, agent), at(4, url), at(5, protocol), at(6, tags);
    at(7, attachment), at(8, auto_response_ms), at(9, messages);
    net_fields(at, state);
  }
};

// A connection between two requests; comes with its socket.
struct HttpRecord {
  static constexpr RecordType kType = RecordType::kHttp;
  net::ConnectionState state;
  template <typename Fields>
  void fields(Fields& at) {
    net_fields(at, state);
  }
};

// An event that no handler had begun; those of one agent in their order.
struct EventRecord {
  static constexpr RecordType kType = RecordType::kEvent;
  enum Kind : std::uint8_t { kMessage = 1, kClosed = 2, kScheduled = 3 };
  std::uint8_t kind = 0;
  ConnectionId connection;
  std::uint8_t message_kind = 0;
  std::string data;  // a message's, a close's reason, a cron expression
  std::uint16_t code = 0;
  std::uint8_t clean = 0;  // as in SocketClosed
  std::int64_t scheduled_ms = 0;
  std::uint16_t worker = 0;  // a schedule's
  std::uint64_t number = 0;  // a message's, among its connection's
  template <typename Fields>
  void fields(Fields& at) {
    at(1, kind), at(2, connection.value), at(3, message_kind), at(4, data), at(5, code);
    at(6, clean), at(7, scheduled_ms), at(8, worker), at(9, number);
  }
};

// An agent that was cut off in its work and is to go on.
struct ResumeRecord {
  static constexpr RecordType kType = RecordType::kResume;
  AgentId agent;
  std::uint8_t attempts = 0;
  template <typename Fields>
  void fields(Fields& at) {
    at(1, agent), at(2, attempts);
  }
};

// An agent that is to be asked for its alarm.
struct ProbeRecord {
  static constexpr RecordType kType = RecordType::kProbe;
  AgentId agent;
  template <typename Fields>
  void fields(Fields& at) {
    at(1, agent);
  }
};

// Nothing follows but Go, once the other has said that it has all.
struct End {
  static constexpr RecordType kType = RecordType::kEnd;
  std::uint64_t records = 0;
  template <typename Fields>
  void fields(Fields& at) {
    at(1, records);
  }
};

// The process that leaves has let go: the sockets are the other's.
struct Go {
  static constexpr RecordType kType = RecordType::kGo;
  template <typename Fields>
  void fields(Fields&) {}
};

// ---- encoding

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void operator()(std::uint8_t number, const std::string& text) {
    if (!text.empty()) field(number, text);
  }
  void operator()(std::uint8_t number, const std::vector<std::string>& list) {
    for (const std::string& each : list) field(number, each);
  }
  void operator()(std::uint8_t number, const AgentId& id);
  template <typename Number>
  requires std::is_integral_v<Number>
  void operator()(std::uint8_t number, const Number& value) {
    integer(number, static_cast<std::uint64_t>(value));
  }

 private:
  void field(std::uint8_t number, std::string_view content);
  void integer(std::uint8_t number, std::uint64_t value);
  std::string& out_;
};

class Reader {
 public:
  // False when the fields do not fill the bytes exactly.
  bool parse(std::string_view bytes);
  void operator()(std::uint8_t number, std::string& text);
  void operator()(std::uint8_t number, std::vector<std::string>& list);
  void operator()(std::uint8_t number, AgentId& id);
  template <typename Number>
  requires std::is_integral_v<Number>
  void operator()(std::uint8_t number, Number& value) {
    std::uint64_t wide = 0;
    if (integer(number, wide)) value = static_cast<Number>(wide);
  }
  // No field had a size that it cannot have.
  bool whole() const { return whole_; }

 private:
  struct Field {
    std::uint8_t number;
    std::string_view content;
  };
  const Field* find(std::uint8_t number) const;
  bool integer(std::uint8_t number, std::uint64_t& value);
  std::vector<Field> fields_;
  bool whole_ = true;
};

template <typename Record>
std::string encode(Record record) {
  std::string out(1, static_cast<char>(Record::kType));
  Writer writer(out);
  record.fields(writer);
  return out;
}

std::optional<RecordType> type_of(std::string_view bytes);

// kInvalid when the bytes are no such record.
template <typename Record>
Result<Record> decode(std::string_view bytes) {
  Record record;
  Reader reader;
  const Error wrong{ErrorCode::kInvalid, "a record of the handover is malformed"};
  if (type_of(bytes) != Record::kType || !reader.parse(bytes.substr(1))) return wrong;
  record.fields(reader);
  if (!reader.whole()) return wrong;
  return record;
}

}  // namespace hearth::core::handover
