#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "log/record.h"
#include "log/redactor.h"
#include "log/writer.h"

namespace hearth::log {
namespace {

using core::Level;

// The text without the time, which depends on the machine's zone.
std::string pretty(const LogRecord& record, PrettyOptions options = {}) {
  return pretty_text(record, options).substr(sizeof("00:00:00.000") - 1);
}

TEST(LogRecord, OfAHostSaysWhoWhatAndWhere) {
  const LogRecord record = record_of(
      Level::kError,
      R"({"message":"boom","code":"R407","class":"Room","agent":"lobby","what":"alarm",)"
      R"("where":"/s.ts:3:1","stack":"Error: boom\n    at f (/s.ts:3:1)\n    at node:internal/x",)"
      R"("request":7,"connection":9,"time":1000,"source":"host"})",
      5);
  EXPECT_EQ(pretty(record),
            " error R407 Room/lobby: boom (/s.ts:3:1)  alarm  request 7  connection 9\n"
            "    at f (/s.ts:3:1)\n");
  EXPECT_EQ(
      json_text(record),
      R"({"time":"1970-01-01T00:00:01.000Z","level":"error","source":"runtime","code":"R407",)"
      R"("class":"Room","agent":"lobby","request":7,"connection":9,"message":"boom",)"
      R"("what":"alarm","where":"/s.ts:3:1","stack":"Error: boom\n    at f (/s.ts:3:1)\n)"
      R"(    at node:internal/x"})"
      "\n");
}

TEST(LogRecord, OfTheConsoleStandsInAColumn) {
  const LogRecord record = record_of(
      Level::kInfo, R"({"message":"a\nb","class":"Room","agent":"x","source":"console"})", 5);
  EXPECT_EQ(pretty(record, {.colour = false, .agent_width = 10}),
            " info  Room/x     \u203a a\n    b\n");
}

TEST(LogRecord, CannotRepaintTheTerminal) {
  LogRecord record{.message = "\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\r\x7f"};
  EXPECT_EQ(pretty(record), " info  \\x1b[2J\\x1b]0;title\\x07red\\x0d\\x7f\n");
  EXPECT_NE(pretty(record, {.colour = true}).find("\x1b[31mred\x1b[0m"), std::string::npos);
  record.class_name = "Room";
  record.agent = "a\x1b[2J";
  EXPECT_EQ(pretty(record).find('\x1b'), std::string::npos);
}

TEST(LogRecord, OfTheCoreKeepsItsParts) {
  const LogRecord record = record_of(
      core::Line{.level = Level::kWarn, .message = "m", .code = "R413", .agent = "Room/a/b"}, 0);
  EXPECT_EQ(record.class_name, "Room");
  EXPECT_EQ(record.agent, "a/b");
  EXPECT_EQ(core::text_of({.message = "m", .code = "R413", .agent = "Room/a", .where = "f:1"}),
            "R413 Room/a: m (f:1)");
}

TEST(LogRecord, TakesWhatIsNoJsonAsItIs) {
  EXPECT_EQ(pretty(record_of(Level::kWarn, "oops", 0)), " warn  oops\n");
}

TEST(Secrets, AreTheOnesOfTheWorkerDocument) {
  const auto secrets = secrets_of(R"({"bindings":[
    {"type":"secret","name":"A","value":"secret-a"}, {"type":"var","name":"GREETING","value":"hello there"},
    {"type":"var","name":"API_KEY","value":"key-of-api"}, {"type":"var","name":"MAX_TOKENS","value":"1000000000"},
    {"type":"var","name":"PIN_TOKEN","value":"1234567890"}, {"type":"durable_object","name":"KEY","namespace":0}],
    "ai":{"keyName":"OPENAI_API_KEY","key":"sk-ai-key"}})");
  std::vector<std::string> names;
  for (const Secret& each : secrets) names.push_back(each.name);
  EXPECT_EQ(names, (std::vector<std::string>{"A", "API_KEY", "OPENAI_API_KEY"}));
}

TEST(Secrets, AreToldFromOtherVarsByWholeWords) {
  for (const char* name : {"API_KEY", "apiKey", "githubToken", "DB_PASSWORD", "aws-secret"}) {
    EXPECT_TRUE(names_a_secret(name)) << name;
  }
  for (const char* name : {"MONKEY", "KEYBOARD", "MAX_TOKENS", "PATH", "STRIPE_PUBLIC_KEY"}) {
    EXPECT_FALSE(names_a_secret(name)) << name;
  }
}

TEST(Redactor, FindsAValueInEveryFormAndTheLongerOfTwoFirst) {
  Redactor redactor;
  redactor.add({{"SHORT", "abcdef"}, {"LONG", "abcdef\"ghi'/"}, {"TINY", "abc"}});
  std::string text = "abcdef\"ghi'/ abcdef\\\"ghi'/ abcdef%22ghi'%2F abcdef abc";
  redactor.redact(text);
  EXPECT_EQ(text, "[LONG redacted] [LONG redacted] [LONG redacted] [SHORT redacted] abc");
}

TEST(Redactor, HidesTheBeginningThatACutLeft) {
  Redactor redactor;
  redactor.add({{"S", "0123456789"}});
  LogRecord record{.message = "x 01234", .cut = 5};
  redactor.redact(record);
  EXPECT_EQ(record.message, "x [S redacted]");
  LogRecord whole{.message = "x 01234"};
  redactor.redact(whole);
  EXPECT_EQ(whole.message, "x 01234") << "nothing was cut: it is no secret";
}

TEST(Redactor, HidesWhatThePartsOfALineHaveOfASecret) {
  Redactor redactor;
  redactor.add({{"S", "0123456789abcdef"}});
  std::vector<LogRecord> parts{
      {.message = "key 012345", .partial = true},
      {.message = "6789ab", .partial = true, .continued = true},
      {.message = "cdef and 012", .partial = true, .continued = true},
      {.message = "more of it", .continued = true},
  };
  std::string text;
  for (LogRecord& each : parts) redactor.redact(each), text += each.message + "|";
  EXPECT_EQ(text, "key [S redacted]|[S redacted]|[S redacted] and 012|more of it|");
}

TEST(LogRecord, OfAHostsOutputSaysWhichHost) {
  LogRecord record{.source = LogSource::kOutput, .message = "from a child"};
  record.host = 3;
  record.partial = true;
  EXPECT_EQ(pretty(record), " info  (host 3) \u203a from a child\n");
  const auto again = record_of_json(json_text(record));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->host, 3u);
  EXPECT_TRUE(again->partial && !again->continued && again->source == LogSource::kOutput);
}

std::string read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(descriptor, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

TEST(LogWriter, NeverWaitsForItsReaderAndCountsWhatItDrops) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::string text;
  {
    LogWriter writer(
        ends[1], [](std::uint64_t dropped) { return "dropped " + std::to_string(dropped) + "\n"; });
    // Nobody reads: far more than the pipe and the queue hold is taken all the same.
    const std::string line = std::string(1023, 'x') + "\n";
    constexpr std::size_t kLines = 3 * LogWriter::kQueueBytesMax / 1024;
    for (std::size_t i = 0; i < kLines; ++i) writer.write(line, "");
    EXPECT_FALSE(writer.flush(1));
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (bool done = false; !done;) {
      done = writer.flush(1);
      text += read_all(ends[0]);
    }
    const std::size_t kept =
        static_cast<std::size_t>(std::count(text.begin(), text.end(), 'x')) / 1023;
    EXPECT_LT(kept, kLines);
    // It may find room more than once, and says each time how many it has dropped since.
    const std::regex notice("dropped (\\d+)\n");
    std::size_t dropped = 0;
    for (std::sregex_iterator each(text.begin(), text.end(), notice), end; each != end; ++each) {
      dropped += std::stoul((*each)[1]);
    }
    EXPECT_EQ(dropped, kLines - kept);
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(LogWriter, PutsTheFileAsideAtItsSize) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("hearth-log-test-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  {
    LogWriter writer(STDERR_FILENO, [](std::uint64_t) { return std::string(); });
    const Status opened =
        writer.open_file({.path = folder / "log", .bytes_max = 4096, .files_max = 1},
                         [](std::uint64_t) { return std::string(); });
    ASSERT_TRUE(opened);
    for (int i = 0; i < 100; ++i) writer.write("", std::string(127, 'a') + "\n");
    ASSERT_TRUE(writer.flush(10'000));
  }
  EXPECT_LE(std::filesystem::file_size(folder / "log"), 4096u);
  EXPECT_LE(std::filesystem::file_size(folder / "log.1"), 4096u);
  EXPECT_FALSE(std::filesystem::exists(folder / "log.2"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hearth::log
