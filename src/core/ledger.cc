#include "core/ledger.h"

#include <algorithm>
#include <utility>

namespace hearth::core {

namespace {
constexpr std::size_t kFirstEntries = 64;
}

Ledger::~Ledger() {
  flush();
}

void Ledger::set_namespaces(std::vector<std::string> unique_keys) {
  flush();
  unique_keys_ = std::make_shared<const std::vector<std::string>>(std::move(unique_keys));
}

void Ledger::start_batch() {
  batch_ = std::make_unique<LedgerBatch>();
  batch_->entries.reserve(kFirstEntries);
  batch_->unique_keys = unique_keys_;
  timer_ = loop_.after(kFlushMs, [this] { flush(); });
}

void Ledger::note(const AgentId& agent, LedgerKind kind, std::string_view text,
                  const LedgerFacts& facts) {
  if (!unique_keys_ || agent.name_space >= unique_keys_->size()) return;
  if (!batch_) start_batch();
  text = text.substr(0, kTextBytesMax);
  // Not in the middle of a character.
  while (text.size() == kTextBytesMax && (static_cast<unsigned char>(text.back()) & 0x80) != 0) {
    text.remove_suffix(1);
  }
  batch_->entries.push_back({.at_ms = clock_.wall_ms(),
                             .number = facts.number,
                             .agent = agent,
                             .host = facts.host,
                             .text_at = static_cast<std::uint32_t>(batch_->texts.size()),
                             .text_size = static_cast<std::uint16_t>(text.size()),
                             .code = facts.code,
                             .kind = kind});
  batch_->texts.append(text);
  ++noted_;
  if (batch_->entries.size() >= kEntriesMax) flush();
}

void Ledger::flush() {
  if (!batch_) return;
  loop_.cancel(timer_);
  const std::size_t count = batch_->entries.size();
  if (!sink_.take(std::move(batch_))) lost_ += count;
  batch_.reset();
}

}  // namespace hearth::core
