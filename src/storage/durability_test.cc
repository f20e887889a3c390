// Proof by many seeds that an agent's database keeps its promises on a bad disk: a program of
// random turns, syncs, checkpoints and closings runs on a FaultDisk that loses power, fails or is
// full, as the owner and the syncer would call it. After each reopening the database holds exactly
// what it held after one of its turns: no half turn, and none older than the last that was
// acknowledged.
// States are also bookmarked and restored meanwhile: a restore that was ordered has happened at the
// next opening, whatever came between, and never by half.
//   HEARTH_DURABILITY_RUNS=5000 storage_test --gtest_filter='Seeds.*'   many more
//   HEARTH_DURABILITY_SEED=17                                           one of them
#include <cstdlib>
#include <map>
#include <random>

#include "storage/test_support.h"
#include "storage/testing/fault_disk.h"

namespace hearth::storage {
namespace {

constexpr char kPath[] = "state/do/worker-Agent/agent.sqlite";

struct Model {
  std::map<std::string, std::string> pairs;
  std::map<std::int64_t, std::string> rows;
  std::optional<std::int64_t> alarm;

  std::string brief() const {
    std::string result = "alarm " + (alarm ? std::to_string(*alarm) : "none");
    const auto add = [&](const std::string& key, const std::string& value) {
      result += " " + key + "=" + value.substr(0, 3);
      if (value.size() > 3) result += "*" + std::to_string(value.size());
    };
    for (const auto& [key, value] : pairs) add(key, value);
    for (const auto& [key, value] : rows) add(std::to_string(key), value);
    return result;
  }
  std::string text() const {
    std::string result = "alarm " + (alarm ? std::to_string(*alarm) : "none");
    for (const auto& [key, value] : pairs) result += "\n" + key + "=" + value;
    for (const auto& [key, value] : rows) result += "\n" + std::to_string(key) + ":" + value;
    return result;
  }
};

// Where a run ended up; a test fails with it.
struct Story {
  std::uint64_t cuts = 0;
  std::uint64_t failures = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t unheard = 0;  // commits that a power cut took, none of them acknowledged
  std::uint64_t bookmarks = 0;
  std::uint64_t restores = 0;
  std::uint64_t forgotten = 0;  // bookmarks that the history was too small for
};

class Trial {
 public:
  explicit Trial(std::uint64_t seed) : random_(seed), disk_(seed * 7919 + 1) {
    if (below(8) != 0) history_.keep_ms = 3'600'000;
    history_.bytes_least = below(2) == 0 ? 40'000 : 4'000'000;
    history_.grid_ms = 1'000;
    states_.push_back({});
  }

  Story play() {
    for (int session = 0; session < 6 && !::testing::Test::HasFailure(); ++session) {
      plan_fault();
      play_session();
      end_session();
      reopen();
    }
    database_.reset();
    return story_;
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  void plan_fault() {
    switch (below(4)) {
      case 0:
        return disk_.plan(FaultDisk::Fault::kFail, 1 + below(120));
      case 1:
        return disk_.plan(FaultDisk::Fault::kFull, 1 + below(120));
      default:
        return disk_.plan(FaultDisk::Fault::kPowerCut, 1 + below(120));
    }
  }

  void play_session() {
    if (!database_) reopen();
    const std::uint64_t turns = 5 + below(40);
    for (std::uint64_t i = 0; i < turns && !::testing::Test::HasFailure(); ++i) {
      if (disk_.power_is_off()) return;
      if (!play_turn()) {
        if (disk_.power_is_off()) return;
        ++story_.failures;
        reset();
      }
      disk_.pass_time(static_cast<std::int64_t>(below(400)));
      switch (below(12)) {
        case 0:
          if (database_->connection()) database_->connection()->checkpoint();
          break;
        case 1:
          reset();
          break;
        case 2:
          if (!bookmark()) return;
          break;
        case 3:
          if (below(3) == 0 && !order_restore()) return;
          break;
        case 4:
          if (database_->connection() && database_->connection()->archive_due()) {
            database_->connection()->archive();
          }
          break;
        default:
          break;
      }
    }
  }

  // One turn and, mostly, its sync. False: the agent is to be reset, as after a failed commit.
  bool play_turn() {
    Model next = model_;
    const std::string number = std::to_string(++turn_);
    bool good = bool(database_->put("turn", number));
    if (good) next.pairs["turn"] = number;
    for (std::uint64_t ops = below(6); ops > 0; --ops) {
      good = operation(next) && good;
      // User code may catch what failed and go on; if it does not, the turn is dropped.
      if (!good && below(3) == 0) return false;
    }
    const Result<AgentDatabase::Turn> turn = database_->commit_turn();
    if (!turn) {
      // Not acknowledged, and yet it may be seen, whole.
      states_.push_back(next);
      return false;
    }
    if (*turn == AgentDatabase::Turn::kNothing) return true;
    model_ = std::move(next);
    states_.push_back(model_);
    committed_ = states_.size() - 1;
    return below(3) == 0 || sync();
  }

  bool sync() {
    if (!database_->connection()->sync()) return false;
    acknowledged_ = committed_;
    ++story_.acknowledged;
    return true;
  }

  // ---- points in time. False: the session is over ---------------------------------------------

  // States that the database may be found in, any one of them.
  using Possible = std::vector<Model>;

  bool bookmark() {
    if (history_.keep_ms == 0 || !database_->connection()) return true;
    const Result<std::string> text =
        database_->connection()->bookmark(database_->connection()->want());
    if (!text) return !disk_.power_is_off();
    acknowledged_ = committed_;
    bookmarks_[*text] = {states_[committed_]};
    ++story_.bookmarks;
    return true;
  }

  bool order_restore() {
    if (bookmarks_.empty() || !database_->connection()) return true;
    auto chosen = bookmarks_.begin();
    std::advance(chosen, below(bookmarks_.size()));
    // Should it fail midway, it may be found to be ordered all the same.
    const Possible target = chosen->second;
    const Result<std::string> undo = database_->connection()->restore_next(chosen->first);
    if (undo) {
      ordered_ = target;
      maybe_ordered_.clear();
      undo_ = *undo;
      return true;
    }
    if (undo.error().code == ErrorCode::kNotFound) {
      bookmarks_.erase(chosen);
      ++story_.forgotten;
      return true;
    }
    EXPECT_NE(undo.error().code, ErrorCode::kInvalid) << undo.error().message;
    maybe_ordered_.insert(maybe_ordered_.end(), target.begin(), target.end());
    return !disk_.power_is_off();
  }

  // Whether what was found is what had been ordered.
  bool was_restored(const Model& seen) {
    Possible possible = std::exchange(ordered_, {});
    const bool certain = !possible.empty();
    const Possible maybe = std::exchange(maybe_ordered_, {});
    possible.insert(possible.end(), maybe.begin(), maybe.end());
    const std::string undo = std::exchange(undo_, {});
    for (const Model& each : possible) {
      if (each.text() != seen.text()) continue;
      const bool unchanged = !certain && states_.back().text() == seen.text();
      if (unchanged) return false;
      if (!undo.empty()) {
        const auto first = states_.begin() + static_cast<std::ptrdiff_t>(acknowledged_);
        bookmarks_[undo] = Possible(first, states_.end());
      }
      states_ = {each};
      model_ = each;
      committed_ = acknowledged_ = 0;
      ++story_.restores;
      return true;
    }
    EXPECT_FALSE(certain) << "a restore to " << possible.front().brief() << " came to "
                          << seen.brief();
    return false;
  }

  // Does something; `next` follows as far as it was done.
  bool operation(Model& next) {
    const std::string key = "key" + std::to_string(below(12));
    switch (below(9)) {
      case 0: {
        std::optional<std::int64_t> alarm;
        if (below(3) != 0) alarm = 1 + below(1'000'000);
        if (!database_->set_alarm(alarm)) return false;
        next.alarm = alarm;
        return true;
      }
      case 1:
        if (!database_->remove(key)) return false;
        next.pairs.erase(key);
        return true;
      case 2: {
        if (!database_->begin()) return false;
        const bool put = bool(database_->put(key, "of a transaction that is rolled back"));
        return database_->rollback() && put;
      }
      case 3:
      case 4: {
        const auto number = static_cast<std::int64_t>(below(1'000'000));
        const std::string text = value();
        if (!run("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, v TEXT)", {}))
          return false;
        if (!run("INSERT OR REPLACE INTO rows VALUES (?, ?)",
                 {static_cast<double>(number), std::string_view(text)})) {
          return false;
        }
        next.rows[number] = text;
        return true;
      }
      case 5:
        if (below(8) != 0) return true;
        if (!database_->delete_all(true)) return false;
        next = {};
        if (!database_->put("turn", std::to_string(turn_))) return false;
        next.pairs["turn"] = std::to_string(turn_);
        return true;
      default: {
        const std::string bytes = value();
        if (!database_->put(key, bytes)) return false;
        next.pairs[key] = bytes;
        return true;
      }
    }
  }

  bool run(std::string_view sql, const std::vector<Parameter>& parameters) {
    Result<AgentDatabase::Execution> execution = database_->exec(sql, parameters);
    if (!execution) return false;
    execution->cursor->finish();
    return true;
  }

  std::string value() {
    const std::uint64_t size = below(5) == 0 ? below(12'000) : below(200);
    return std::string(size, static_cast<char>('a' + below(26)));
  }

  // ---- endings and beginnings -----------------------------------------------------------------

  // As the host does at eviction and after a failure: what is not committed is dropped, the syncer
  // closes the file, and it is opened anew.
  void reset() {
    if (std::shared_ptr<Connection> connection = database_->release()) connection->close();
    database_.reset();
    if (disk_.power_is_off()) return;
    disk_.end_plan();
    reopen();
    if (below(2) == 0) plan_fault();
  }

  // The power goes, or the process alone dies.
  void end_session() {
    const bool cut = disk_.power_is_off() || below(3) != 0;
    disk_.cut_power();
    database_.reset();
    disk_.boot(!cut            ? FaultDisk::Loss::kNone
               : below(3) == 0 ? FaultDisk::Loss::kAll
                               : FaultDisk::Loss::kSome);
    ++story_.cuts;
  }

  void reopen() {
    database_ =
        std::make_unique<AgentDatabase>(kPath, AgentDatabase::BeforeOpen{}, disk_, history_);
    const Model seen = read();
    const std::string found = seen.text();
    if (::testing::Test::HasFailure()) return;
    EXPECT_FALSE(disk_.exists(History::order_path_of(kPath)));
    if (was_restored(seen)) return;
    for (std::size_t i = states_.size(); i-- > acknowledged_;) {
      if (states_[i].text() != found) continue;
      story_.unheard += committed_ > i ? committed_ - i : 0;
      states_.resize(i + 1);
      model_ = states_[i];
      committed_ = i;
      // What was found is told to nobody before it is durable itself.
      if (database_->connection() && database_->connection()->unsynced() && below(2) == 0) {
        ASSERT_TRUE(database_->connection()->sync());
      }
      if (!database_->connection() || !database_->connection()->unsynced()) acknowledged_ = i;
      return;
    }
    std::string possible;
    for (std::size_t i = acknowledged_; i < states_.size(); ++i) {
      possible += "\n-- turn " + std::to_string(i) + ": " + states_[i].brief();
    }
    ADD_FAILURE() << "after turn " << acknowledged_ << " was acknowledged it held\n"
                  << seen.brief() << "\nwhich is none of" << possible;
  }

  Model read() {
    Model seen;
    const Status listed = database_->list({}, [&](std::string_view key, std::string_view bytes) {
      seen.pairs[std::string(key)] = bytes;
    });
    EXPECT_TRUE(listed) << listed.error().message;
    const Result<std::optional<std::int64_t>> alarm = database_->alarm();
    EXPECT_TRUE(alarm) << alarm.error().message;
    if (alarm) seen.alarm = *alarm;
    if (!database_->connection()) return seen;
    EXPECT_EQ(text_of("PRAGMA quick_check"), "ok");
    if (text_of("SELECT count(*) FROM sqlite_schema WHERE name = 'rows'") == "1") {
      Result<AgentDatabase::Execution> execution =
          database_->exec("SELECT n, v FROM rows ORDER BY n", {});
      EXPECT_TRUE(execution) << execution.error().message;
      for (Step step = execution->first; step == Step::kRow; step = *execution->cursor->step()) {
        seen.rows[std::stoll(std::string(execution->cursor->text(0)))] = execution->cursor->text(1);
      }
    }
    return seen;
  }

  std::string text_of(std::string_view sql) {
    Result<AgentDatabase::Execution> execution = database_->exec(sql, {});
    if (!execution) return execution.error().message;
    return execution->first == Step::kRow ? std::string(execution->cursor->text(0)) : "(no rows)";
  }

  std::mt19937_64 random_;
  FaultDisk disk_;
  std::unique_ptr<AgentDatabase> database_;
  std::vector<Model> states_;     // after each turn that may be seen again
  std::size_t committed_ = 0;     // of states_: the last whose commit returned ok
  std::size_t acknowledged_ = 0;  // of states_: the last that anybody was told of
  Model model_;
  std::uint64_t turn_ = 0;
  HistoryOptions history_;
  std::map<std::string, Possible> bookmarks_;
  Possible ordered_;        // what the next opening must find
  Possible maybe_ordered_;  // or may
  std::string undo_;
  Story story_;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Seeds, LoseNoAcknowledgedTurnAndShowNoHalfOne) {
  const std::uint64_t first = from_environment("HEARTH_DURABILITY_SEED", 0);
  const std::uint64_t runs = first != 0 ? 1 : from_environment("HEARTH_DURABILITY_RUNS", 600);
  Story all;
  for (std::uint64_t i = 0; i < runs; ++i) {
    const std::uint64_t seed = first != 0 ? first : i + 1;
    const Story story = Trial(seed).play();
    all.cuts += story.cuts;
    all.failures += story.failures;
    all.acknowledged += story.acknowledged;
    all.unheard += story.unheard;
    all.bookmarks += story.bookmarks;
    all.restores += story.restores;
    all.forgotten += story.forgotten;
    ASSERT_FALSE(HasFailure()) << "HEARTH_DURABILITY_SEED=" << seed;
  }
  if (first != 0) return;
  // The runs came to what they are for.
  EXPECT_GT(all.cuts, runs);
  EXPECT_GT(all.failures, runs / 10);
  EXPECT_GT(all.acknowledged, runs * 20);
  EXPECT_GT(all.unheard, runs / 10);
  EXPECT_GT(all.bookmarks, runs);
  EXPECT_GT(all.restores, runs / 4);
  EXPECT_GT(all.forgotten, runs / 100);
  std::printf(
      "%llu runs: %llu ends of power or process, %llu failures, %llu acknowledged, %llu bookmarks, "
      "%llu restores, %llu bookmarks too old\n",
      static_cast<unsigned long long>(runs), static_cast<unsigned long long>(all.cuts),
      static_cast<unsigned long long>(all.failures),
      static_cast<unsigned long long>(all.acknowledged),
      static_cast<unsigned long long>(all.bookmarks), static_cast<unsigned long long>(all.restores),
      static_cast<unsigned long long>(all.forgotten));
}

}  // namespace
}  // namespace hearth::storage
