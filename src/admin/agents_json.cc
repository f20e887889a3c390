#include "admin/agents_json.h"

#include <nlohmann/json.hpp>

#include "core/ledger_file.h"

namespace hearth::admin {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const core::LedgerRecord& record) {
  Json json{{"atMs", record.at_ms},
            {"kind", core::name_of(record.kind)},
            {"what", core::describe(record)}};
  if (record.host != 0) json["host"] = record.host;
  if (record.code != 0) json["code"] = record.code;
  if (record.number != 0) json["number"] = record.number;
  if (!record.text.empty()) json["text"] = record.text;
  return json;
}

}  // namespace

void add_ledger(Json& answer, const std::filesystem::path& state, std::string_view unique_key,
                std::string_view id, std::size_t limit) {
  Json& entries = answer["entries"] = Json::array();
  auto file = core::LedgerFile::open_existing(state);
  if (!file) {
    if (file.error().code != ErrorCode::kNotFound) answer["fault"] = file.error().message;
    return;
  }
  const auto records = (*file)->read(unique_key, id, limit);
  if (!records) {
    answer["fault"] = records.error().message;
    return;
  }
  for (const core::LedgerRecord& each : *records) entries.push_back(to_json(each));
  const auto error = (*file)->last(unique_key, id, core::LedgerKind::kError);
  if (error) answer["lastError"] = to_json(*error);
}

}  // namespace hearth::admin
