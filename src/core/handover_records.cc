#include "core/handover_records.h"

#include <cstring>

namespace hearth::core::handover {

namespace {
constexpr std::size_t kFieldHeaderBytes = 5;
constexpr std::size_t kAgentIdBytes = 34;
constexpr std::size_t kFieldsMax = 8192;  // a list of chunks is the only thing that repeats
}  // namespace

void Writer::field(std::uint8_t number, std::string_view content) {
  char header[kFieldHeaderBytes];
  header[0] = static_cast<char>(number);
  const auto size = static_cast<std::uint32_t>(content.size());
  std::memcpy(header + 1, &size, sizeof size);
  out_.append(header, sizeof header).append(content);
}

// Always written, an empty content for 0: a default that is not 0 must not come back.
void Writer::integer(std::uint8_t number, std::uint64_t value) {
  char bytes[8];
  std::size_t size = 0;
  for (; value != 0; value >>= 8) bytes[size++] = static_cast<char>(value & 0xff);
  field(number, {bytes, size});
}

void Writer::operator()(std::uint8_t number, const AgentId& id) {
  char bytes[kAgentIdBytes];
  std::memcpy(bytes, &id.name_space, 2);
  std::memcpy(bytes + 2, id.bytes.data(), id.bytes.size());
  field(number, {bytes, sizeof bytes});
}

bool Reader::parse(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() < kFieldHeaderBytes || fields_.size() >= kFieldsMax) return false;
    std::uint32_t size;
    std::memcpy(&size, bytes.data() + 1, sizeof size);
    const auto number = static_cast<std::uint8_t>(bytes[0]);
    bytes.remove_prefix(kFieldHeaderBytes);
    if (size > bytes.size()) return false;
    fields_.push_back({number, bytes.substr(0, size)});
    bytes.remove_prefix(size);
  }
  return true;
}

const Reader::Field* Reader::find(std::uint8_t number) const {
  for (const Field& field : fields_) {
    if (field.number == number) return &field;
  }
  return nullptr;
}

bool Reader::integer(std::uint8_t number, std::uint64_t& value) {
  const Field* field = find(number);
  if (field == nullptr) return false;
  if (field->content.size() > 8) return whole_ = false;
  for (std::size_t i = 0; i < field->content.size(); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(field->content[i])) << (8 * i);
  }
  return true;
}

void Reader::operator()(std::uint8_t number, std::string& text) {
  if (const Field* field = find(number)) text = field->content;
}

void Reader::operator()(std::uint8_t number, std::vector<std::string>& list) {
  for (const Field& field : fields_) {
    if (field.number == number) list.emplace_back(field.content);
  }
}

void Reader::operator()(std::uint8_t number, AgentId& id) {
  const Field* field = find(number);
  if (field == nullptr) return;
  if (field->content.size() != kAgentIdBytes) {
    whole_ = false;
    return;
  }
  std::memcpy(&id.name_space, field->content.data(), 2);
  std::memcpy(id.bytes.data(), field->content.data() + 2, id.bytes.size());
}

std::optional<RecordType> type_of(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  return static_cast<RecordType>(bytes[0]);
}

}  // namespace hearth::core::handover
