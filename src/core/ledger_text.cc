// The ledger in words.

#include "base/time_text.h"
#include "core/ledger_file.h"

namespace hearth::core {

namespace {

std::string on_host(const LedgerRecord& record) {
  return record.host == 0 ? "" : " on host " + std::to_string(record.host);
}

std::string events(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " event" : " events");
}

std::string socket(const LedgerRecord& record) {
  char text[24];
  std::snprintf(text, sizeof text, "socket %llx", static_cast<unsigned long long>(record.number));
  return text;
}

}  // namespace

std::string_view name_of(LedgerKind kind) {
  switch (kind) {
    case LedgerKind::kWoke:
      return "woke";
    case LedgerKind::kSlept:
      return "slept";
    case LedgerKind::kReset:
      return "reset";
    case LedgerKind::kMoved:
      return "moved";
    case LedgerKind::kSocketOpened:
      return "socket-opened";
    case LedgerKind::kSocketClosed:
      return "socket-closed";
    case LedgerKind::kQueued:
      return "queued";
    case LedgerKind::kReplayed:
      return "replayed";
    case LedgerKind::kBegun:
      return "begun";
    case LedgerKind::kAlarmSet:
      return "alarm-set";
    case LedgerKind::kAlarmFired:
      return "alarm-fired";
    case LedgerKind::kAlarmFailed:
      return "alarm-failed";
    case LedgerKind::kAlarmGivenUp:
      return "alarm-given-up";
    case LedgerKind::kError:
      return "error";
    case LedgerKind::kQuarantined:
      return "quarantined";
    case LedgerKind::kReleased:
      return "released";
    case LedgerKind::kRefused:
      return "refused";
    case LedgerKind::kHeld:
      return "held";
  }
  return "unknown";  // of a later hearth
}

std::string describe(const LedgerRecord& record) {
  switch (record.kind) {
    case LedgerKind::kWoke:
      return "woke" + on_host(record) + " for " + record.text +
             (record.number > 0 ? ", version " + std::to_string(record.number) : "");
    case LedgerKind::kSlept:
      return "fell asleep" + on_host(record) + ": " + record.text;
    case LedgerKind::kReset:
      return "was reset: host " + std::to_string(record.host) + " ended: " + record.text;
    case LedgerKind::kMoved:
      return "left host " + std::to_string(record.host) + ": " + record.text;
    case LedgerKind::kSocketOpened:
      return socket(record) + " opened" + (record.text.empty() ? "" : " at " + record.text);
    case LedgerKind::kSocketClosed:
      return socket(record) + " closed with " + std::to_string(record.code) + " " + record.text;
    case LedgerKind::kQueued:
      return events(record.number) + " had not begun when host " + std::to_string(record.host) +
             " ended, and " + (record.number == 1 ? "waits" : "wait") + " for the next";
    case LedgerKind::kReplayed:
      return events(record.number) + " that had waited " + (record.number == 1 ? "goes" : "go") +
             " to host " + std::to_string(record.host);
    case LedgerKind::kBegun:
      return record.text + " had begun when host " + std::to_string(record.host) +
             " ended; it is not repeated";
    case LedgerKind::kAlarmSet:
      return "set its alarm for " + time_text(record.number);
    case LedgerKind::kAlarmFired:
      return "got its alarm of " + time_text(record.number);
    case LedgerKind::kAlarmFailed:
      return "its alarm's handler failed (retries so far: " + std::to_string(record.number) + ")";
    case LedgerKind::kAlarmGivenUp:
      return "its alarm failed for the last time and is not fired again";
    case LedgerKind::kError:
      return record.text;
    case LedgerKind::kQuarantined:
      return "was quarantined: " + record.text;
    case LedgerKind::kReleased:
      return "was released from quarantine";
    case LedgerKind::kRefused:
      return "was refused: " + record.text;
    case LedgerKind::kHeld:
      return "was at work" + on_host(record) + ", which " + record.text;
  }
  return record.text;
}

}  // namespace hearth::core
