// What became of each agent, and why: when it woke, slept, moved or was reset, what its sockets
// met, what waited for it, its alarms and errors. The engine notes; entries gather in memory and go
// to a sink in batches, by a timer. A note costs a copy into a batch: no allocation but the batch's
// own, no file, no lock.
//
// Bounded: a batch is handed over when it is full, and a sink that is behind refuses it; what is
// lost is counted. Loop thread; owned by the App, as is the sink.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "os/world.h"

namespace hearth::core {

// Stored as numbers: they keep their meaning, new ones are added at the end.
enum class LedgerKind : std::uint8_t {
  kWoke = 1,          // text: for what; host; number: version of the code
  kSlept = 2,         // text: why; host
  kReset = 3,         // its host ended: text: why; host
  kMoved = 4,         // its host gave it up in order: text: why; host
  kSocketOpened = 5,  // text: the path; number: connection
  kSocketClosed = 6,  // text: by whom and why; code; number: connection
  kQueued = 7,        // events that had not begun when its host ended; number: how many
  kReplayed = 8,      // events that had waited go to a host; number: how many; host
  kBegun = 9,         // an event that had begun when its host ended: text: what
  kAlarmSet = 10,     // number: milliseconds since the epoch
  kAlarmFired = 11,   // number: the time it was set for
  kAlarmFailed = 12,  // number: how often so far
  kAlarmGivenUp = 13,
  kError = 14,        // text: code and message
  kQuarantined = 15,  // text: why
  kReleased = 16,
  kRefused = 17,  // asked for while it may not run: text
  kHeld = 18,     // its host was held to its CPU limit while it was at work: text; host
};

struct LedgerFacts {
  std::uint32_t host = 0;
  std::uint16_t code = 0;
  std::int64_t number = 0;
};

struct LedgerBatch {
  struct Entry {
    std::int64_t at_ms;
    std::int64_t number;
    AgentId agent;
    std::uint32_t host;
    std::uint32_t text_at;
    std::uint16_t text_size;
    std::uint16_t code;
    LedgerKind kind;
  };
  std::vector<Entry> entries;
  std::string texts;
  // By an agent's namespace number; shared by the batches of one deployment.
  std::shared_ptr<const std::vector<std::string>> unique_keys;

  std::string_view text(const Entry& entry) const {
    return std::string_view(texts).substr(entry.text_at, entry.text_size);
  }
};

class LedgerSink {
 public:
  virtual ~LedgerSink() = default;
  // False: it is too far behind, and the batch is lost.
  virtual bool take(std::unique_ptr<LedgerBatch> batch) = 0;
};

class Ledger {
 public:
  static constexpr std::size_t kEntriesMax = 8192;   // of a batch
  static constexpr std::size_t kTextBytesMax = 200;  // of an entry; the rest is cut
  static constexpr std::uint32_t kFlushMs = 500;

  Ledger(os::Clock& clock, os::Loop& loop, LedgerSink& sink)
      : clock_(clock), loop_(loop), sink_(sink) {}
  ~Ledger();

  // The unique keys of the namespaces, by number.
  void set_namespaces(std::vector<std::string> unique_keys);
  void note(const AgentId& agent, LedgerKind kind, std::string_view text = {},
            const LedgerFacts& facts = {});
  // Hands over what has gathered.
  void flush();
  std::uint64_t noted() const { return noted_; }
  std::uint64_t lost() const { return lost_; }

 private:
  void start_batch();

  os::Clock& clock_;
  os::Loop& loop_;
  LedgerSink& sink_;
  std::unique_ptr<LedgerBatch> batch_;
  std::shared_ptr<const std::vector<std::string>> unique_keys_;
  os::TimerId timer_;
  std::uint64_t noted_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace hearth::core
