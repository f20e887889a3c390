// What the storage room's tests share: a folder that goes with the test, and short ways to ask.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "storage/agent_database.h"
#include "storage/syncer.h"

namespace hearth::storage {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "hearth-storage-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class DatabaseTest : public ::testing::Test {
 protected:
  // Runs SQL; rows as text with | between columns, or "! message".
  std::vector<std::string> sql(std::string_view text, std::vector<Parameter> parameters = {}) {
    Result<AgentDatabase::Execution> execution = database_->exec(text, parameters);
    if (!execution) return {"! " + execution.error().message};
    return rows(*execution->cursor, execution->first);
  }
  // Its first row alone, or "(no rows)".
  std::string first(std::string_view text, std::vector<Parameter> parameters = {}) {
    const std::vector<std::string> result = sql(text, std::move(parameters));
    return result.empty() ? "(no rows)" : result.front();
  }
  static std::vector<std::string> rows(SqlCursor& cursor, Step step) {
    std::vector<std::string> result;
    while (step == Step::kRow) {
      std::string row;
      for (int column = 0; column < cursor.columns(); ++column) {
        if (column > 0) row += "|";
        row += cursor.type(column) == ColumnType::kNull ? "NULL" : cursor.text(column);
      }
      result.push_back(row);
      Result<Step> next = cursor.step();
      if (!next) {
        result.push_back("! " + next.error().message);
        return result;
      }
      step = *next;
    }
    cursor.finish();
    return result;
  }
  std::string value(std::string_view key) {
    std::string result = "(none)";
    Result<bool> found = database_->get(key, [&](std::string_view bytes) { result = bytes; });
    return found ? result : "! " + found.error().message;
  }
  std::string keys(const ListOptions& options = {}) {
    std::string result;
    Status status = database_->list(options, [&](std::string_view key, std::string_view) {
      if (!result.empty()) result += " ";
      result += key;
    });
    return status ? result : "! " + status.error().message;
  }
  void put(std::string_view key, std::string_view bytes = "v") {
    Status status = database_->put(key, bytes);
    ASSERT_TRUE(status) << status.error().message;
  }
  void commit() {
    Result<AgentDatabase::Turn> turn = database_->commit_turn();
    ASSERT_TRUE(turn) << turn.error().message;
  }
  // As after the death of the process: what is not committed is gone, the log is left.
  void reopen() { database_ = std::make_unique<AgentDatabase>(path_); }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("do/worker-Agent/agent.sqlite");
  std::unique_ptr<AgentDatabase> database_ = std::make_unique<AgentDatabase>(path_);
};

}  // namespace hearth::storage
