// The core's smaller parts by themselves.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <random>

#include "core/event_table.h"
#include "core/fault.h"
#include "core/flat_map.h"
#include "core/registry.h"
#include "core/router.h"
#include "os/virtual_world.h"

namespace hearth::core {
namespace {

TEST(FlatMap, DoesAsAMapDoes) {
  FlatMap<int> map;
  std::map<std::uint64_t, int*> model;
  std::vector<int> values(5'000);
  std::mt19937_64 random(42);
  for (int step = 0; step < 200'000; ++step) {
    // Keys that collide: few distinct ones, in strides as connection ids come.
    const std::uint64_t key = (random() % 2'000 + 1) << (random() % 2 ? 0 : 32);
    int* value = &values[random() % values.size()];
    if (random() % 2) {
      EXPECT_EQ(map.insert(key, value), model.emplace(key, value).second);
    } else {
      const auto found = model.find(key);
      EXPECT_EQ(map.erase(key), found == model.end() ? nullptr : found->second);
      if (found != model.end()) model.erase(found);
    }
    EXPECT_EQ(map.size(), model.size());
  }
  for (const auto& [key, value] : model) EXPECT_EQ(map.find(key), value);
  std::size_t visited = 0;
  map.for_each([&](int&) { ++visited; });
  EXPECT_EQ(visited, model.size());
}

TEST(EventTable, FreesWhatHasEndedAndKeepsTheOrderOfTheRest) {
  auto page = std::make_unique<wire::ProgressPage>();
  EventTable table(*page);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto place = table.claim();
    ASSERT_TRUE(place);
    table.entry(*place) = {EventKind::kFetch, nullptr, i, std::string(10, 'x')};
    table.filled(*place);
  }
  EXPECT_EQ(table.retained_bytes(), 1'000u);
  const auto store = [&](std::uint32_t place, wire::Progress state) {
    page->state[place].store(static_cast<std::uint8_t>(state));
  };
  for (std::uint32_t place = 0; place < 100; place += 3) store(place, wire::Progress::kDone);
  store(1, wire::Progress::kBegun);
  std::vector<std::uint64_t> done;
  table.sweep([&](Event& event) { done.push_back(event.subject); });
  EXPECT_EQ(done.size(), 34u);
  EXPECT_EQ(table.in_flight(), 66u);
  // A place that is used again is the youngest, wherever it lies.
  const auto again = table.claim();
  table.entry(*again) = {EventKind::kFetch, nullptr, 1'000, {}};
  const auto rest = table.take_unfinished([](Event&) { FAIL(); });
  ASSERT_EQ(rest.size(), 67u);
  EXPECT_EQ(rest.front().event.subject, 1u);
  EXPECT_TRUE(rest.front().begun);
  EXPECT_EQ(rest.back().event.subject, 1'000u);
  for (std::size_t i = 1; i < rest.size(); ++i) {
    EXPECT_LT(rest[i - 1].event.subject, rest[i].event.subject);
    EXPECT_FALSE(rest[i].begun);
  }
}

TEST(EventTable, IsBoundedByThePage) {
  auto page = std::make_unique<wire::ProgressPage>();
  EventTable table(*page);
  for (std::uint32_t i = 0; i < kProgressSlots; ++i) ASSERT_TRUE(table.claim());
  EXPECT_FALSE(table.claim());
  page->state[77].store(static_cast<std::uint8_t>(wire::Progress::kDone));
  table.sweep([](Event&) {});
  EXPECT_EQ(table.claim(), 77u);
}

TEST(AgentPath, IsReadAsTheSdkReadsIt) {
  const auto path = agent_path("http://h:1/agents/coder-agent/a%20b/sub?x=/y");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->segment, "coder-agent");
  EXPECT_EQ(path->name, "a%20b");
  EXPECT_TRUE(agent_path("/agents/a/b"));
  EXPECT_FALSE(agent_path("http://h/agents/a"));
  EXPECT_FALSE(agent_path("http://h/agents/a/"));
  EXPECT_FALSE(agent_path("http://h/agents//b"));
  EXPECT_FALSE(agent_path("http://h/Agents/a/b"));
  EXPECT_FALSE(agent_path("http://h"));
  EXPECT_FALSE(agent_path("http://h/x?/agents/a/b"));
}

TEST(Fault, GivesEachClientWhatItCanRead) {
  const Fault fault{
      .code = "R407", .status = 500, .message = "boom", .where = "a.ts:1", .fix = "mend it"};
  const Answer json = render(fault, Mode::kDev, "*/*", "ref");
  EXPECT_EQ(
      json.body,
      "{\"error\":{\"code\":\"R407\",\"message\":\"boom\",\"where\":\"a.ts:1\",\"fix\":\"mend "
      "it\",\"docs\":\"docs/diagnostics.md#r407\"}}\n");
  const Answer production = render(fault, Mode::kServe, "text/html", "ref-1");
  EXPECT_EQ(production.body.find("boom"), std::string::npos);
  EXPECT_NE(production.body.find("ref-1"), std::string::npos);
  EXPECT_EQ(fault.close_code(), 1011);
  EXPECT_EQ((Fault{.code = "x", .status = 404}).close_code(), 4404);
  EXPECT_EQ((Fault{.code = "x", .status = 503}).close_code(), 1013);
}

TEST(Fault, TellsAClientInFullWhatItsOwnRequestLacks) {
  const std::string body = request_fault_body("R410", "no \"key\"");
  EXPECT_TRUE(body.starts_with(R"({"error":{"code":"R410","message":"no \"key\"","fix":")"))
      << body;
  EXPECT_NE(body.find("docs/diagnostics.md#r410"), std::string::npos);
}

TEST(Fault, CutsACloseReasonBetweenCharacters) {
  Fault fault{.code = "R407"};
  for (int i = 0; i < 100; ++i) fault.message += "\xc3\xab";
  for (int shift = 0; shift < 2; ++shift) {
    const std::string reason = close_reason(fault, Mode::kDev, "");
    EXPECT_LE(reason.size(), 123u);
    EXPECT_EQ(reason.substr(reason.size() - 5), "\xc3\xab...");
    fault.message.insert(0, "x");
  }
}

TEST(Fault, IsReadFromAHostsJson) {
  const Fault fault =
      fault_from_json(R"({"message":"m","status":418,"where":"w"})", {.code = "R407"});
  EXPECT_EQ(fault.code, "R407");
  EXPECT_EQ(fault.message, "m");
  EXPECT_EQ(fault.status, 418);
  EXPECT_EQ(fault_from_json("no json", {}).message, "no json");
  EXPECT_EQ(fault_from_json(R"({"status":200})", {}).status, 500);
}

TEST(OwnFrames, LeavesOutNodesAndTheRuntimes) {
  EXPECT_EQ(
      own_frames("Error: boom\n    at f (/p/a.ts:1:2)\n    at node:internal/x:1:2\n"
                 "    at y (node:internal/z:3:4)\n    at g (/x/host/runtime/src/main.ts:1:1)\n"
                 "    at h (/p/b.ts:3:4)"),
      "Error: boom\n    at f (/p/a.ts:1:2)\n    at h (/p/b.ts:3:4)");
  const char* foreign = "Error: x\n    at node:internal/x:1:2";
  EXPECT_EQ(own_frames(foreign), "Error: x");
  EXPECT_EQ(own_frames(""), "");
}

TEST(HeaderValue, IsFoundInAnyCase) {
  const std::string_view headers("Host\0h\0ACCEPT\0text/html\0", 24);
  EXPECT_EQ(header_value(headers, "accept"), "text/html");
  EXPECT_EQ(header_value(headers, "text/html"), "");
}

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() {
    std::string folder =
        (std::filesystem::temp_directory_path() / "hearth-registry-XXXXXX").string();
    state = ::mkdtemp(folder.data());
  }
  ~RegistryTest() override { std::filesystem::remove_all(state); }
  std::unique_ptr<Registry> open() {
    auto opened = Registry::open(state, world);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(opened).value() : nullptr;
  }
  os::VirtualWorld world;
  std::filesystem::path state;
};

TEST_F(RegistryTest, RemembersAlarmsAgentsAndNamespaces) {
  auto registry = open();
  registry->set_alarm({"k", "id1", "one", 5, 0});
  registry->set_alarm({"k", "id2", "two", 3, 2});
  registry->set_alarm({"k", "id3", "three", 4, 0});
  registry->clear_alarm("k", "id3");
  registry->agent_opened("k", "id1", "one");
  registry->agent_opened("k", "id2", "two");
  registry->agent_opened("k", "id2", "");
  registry->agent_closed("k", "id1");
  NamespaceChange change{.worker = "w", .set = {{"w", "Room", "k"}}, .tags = {"v2", "v1"}};
  ASSERT_TRUE(registry->change_namespaces(change));
  registry.reset();  // not closed: a crash
  registry = open();
  EXPECT_FALSE(registry->was_closed_cleanly());
  const auto alarms = registry->alarms();
  ASSERT_EQ(alarms.size(), 2u);
  EXPECT_EQ(alarms[0].id, "id2");
  EXPECT_EQ(alarms[0].retries, 2u);
  ASSERT_EQ(registry->open_agents().size(), 1u);
  EXPECT_EQ(registry->open_agents()[0].name, "two");
  EXPECT_EQ(registry->name_of("k", "id1"), "one");
  EXPECT_EQ(registry->namespaces().at(0).class_name, "Room");
  EXPECT_EQ(registry->applied_tags("w"), (std::vector<std::string>{"v2", "v1"}));
  registry->close();
  registry.reset();
  EXPECT_TRUE(open()->was_closed_cleanly());
}

TEST_F(RegistryTest, IsHeldByOneHearthAtATime) {
  auto first = open();
  auto second = Registry::open(state, world);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("S305"), std::string::npos);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(RegistryTest, RefusesAFormatThatIsNewer) {
  open()->close();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((state / "registry.sqlite").c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "UPDATE meta SET value = '999' WHERE key = 'format'", nullptr, nullptr,
               nullptr);
  sqlite3_close(database);
  auto opened = Registry::open(state, world);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("999"), std::string::npos);
}

}  // namespace
}  // namespace hearth::core
