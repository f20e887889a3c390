// The admin interface from both ends: a real server on the test's own thread, and the command
// line's client on another.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

#include "admin/client.h"
#include "admin/server.h"
#include "net/unix_socket.h"

namespace hearth::admin {
namespace {

namespace fs = std::filesystem;

class Admin : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hearth-admin-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    state_ = name;
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(state_);
  }

  Server& serve() {
    server_ = std::make_unique<Server>(loop_);
    return *server_;
  }
  // Runs `ask` on a thread of its own while the loop turns.
  void meanwhile(const std::function<void()>& ask) {
    bool done = false;
    std::thread thread([&] {
      ask();
      boost::asio::post(loop_, [&] { done = true; });
    });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    loop_.restart();
    while (!done && std::chrono::steady_clock::now() < end) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(50));
    }
    EXPECT_TRUE(done) << "it did not end in time";
    thread.join();
  }
  Result<std::string> ask(std::string_view method, std::string_view target,
                          std::string_view body = {}) {
    Result<std::string> answer = Error{ErrorCode::kIo, "not asked"};
    meanwhile([&] {
      auto client = Client::of_state(state_);
      answer = client ? client->ask(method, target, body) : Result<std::string>(client.error());
    });
    return answer;
  }
  // A request by hand over TCP; the first line of the answer, and all of it in `whole_`.
  std::string raw(const std::string& headers, const std::string& first = "GET /echo HTTP/1.1") {
    std::string line;
    meanwhile([&] {
      auto channel =
          open_tcp_channel("127.0.0.1", std::to_string(server_->port()), false, kAnswerTimeoutMs);
      ASSERT_TRUE(channel.ok());
      ASSERT_TRUE((*channel)->write(first + "\r\nConnection: close\r\n" + headers + "\r\n").ok());
      char buffer[4096];
      whole_.clear();
      for (;;) {
        const auto count = (*channel)->read(buffer, sizeof buffer);
        if (!count || *count == 0) break;
        whole_.append(buffer, *count);
      }
      line = whole_.substr(0, whole_.find('\r'));
    });
    return line;
  }
  static Route echo(std::size_t body_bytes_max = kBodyBytesMax) {
    return {"POST", "/echo",
            [](const Request& request, const Responder& responder) {
              responder.ok(request.field("say") + "|" + request.body);
            },
            body_bytes_max};
  }
  static Route echo_get() {
    return {"GET", "/echo", [](const Request&, const Responder& responder) { responder.ok("{}"); }};
  }

  fs::path state_;
  boost::asio::io_context loop_{1};
  std::unique_ptr<Server> server_;
  std::string whole_;
};

TEST_F(Admin, AnswersOnASocketThatIsItsOwnersAlone) {
  serve().add(echo());
  ASSERT_TRUE(server_->listen_unix(state_).ok());
  struct stat seen {};
  ASSERT_EQ(::stat((state_ / kSocketName).c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0600U);
  const auto answer = ask("POST", "/echo?say=" + percent_encoded("a b/ü&"), "body");
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(*answer, "a b/ü&|body\n");
  server_.reset();
  EXPECT_FALSE(fs::exists(state_ / kSocketName));
}

TEST_F(Admin, ReplacesASocketThatAKilledServerLeft) {
  const fs::path path = state_ / kSocketName;
  net::UnixListener left;
  ASSERT_TRUE(left.open(path, 1).ok());
  // As a kill -9 leaves it: the file without a listener.
  fs::rename(path, state_ / "aside");
  left.close();
  fs::rename(state_ / "aside", path);
  serve().add(echo());
  ASSERT_TRUE(server_->listen_unix(state_).ok());
  EXPECT_TRUE(ask("POST", "/echo").ok());
}

TEST_F(Admin, ListensNotWhereAnotherDoesOrWhereAFileIs) {
  serve();
  ASSERT_TRUE(server_->listen_unix(state_).ok());
  Server other(loop_);
  const Status taken = other.listen_unix(state_);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(fs::exists(state_ / kSocketName));
  fs::create_directories(state_ / "with" / kSocketName);
  EXPECT_FALSE(other.listen_unix(state_ / "with").ok());
}

TEST_F(Admin, ListensBelowAFolderWithALongName) {
  const fs::path top = state_;
  state_ = state_ / std::string(200, 'l');
  fs::create_directories(state_);
  serve().add(echo());
  const Status status = server_->listen_unix(state_);
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_TRUE(fs::exists(state_ / kSocketName));
  EXPECT_TRUE(ask("POST", "/echo").ok());
  server_.reset();
  EXPECT_FALSE(fs::exists(state_ / kSocketName));
  state_ = top;
}

TEST_F(Admin, TakesABodyUpToTheRoutesBound) {
  serve().add(echo(3'000'000));
  ASSERT_TRUE(server_->listen_unix(state_).ok());
  const auto whole = ask("POST", "/echo", std::string(3'000'000, 'b'));
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  EXPECT_EQ(whole->size(), 3'000'002U);
  const auto over = ask("POST", "/echo", std::string(3'000'001, 'b'));
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.error().code, ErrorCode::kLimit);
  EXPECT_NE(over.error().message.find("3000000 bytes"), std::string::npos) << over.error().message;
  EXPECT_TRUE(ask("POST", "/echo", "again").ok());
}

TEST_F(Admin, AnswersLaterAndNeverForgets) {
  std::optional<Responder> kept;
  serve().add({"GET", "/later", [&](const Request&, const Responder& responder) {
                 kept = responder;
                 boost::asio::post(loop_, [&] { kept->fail(409, "D1", "not now", "wait"); });
               }});
  server_->add({"GET", "/never", [](const Request&, const Responder&) {}});
  ASSERT_TRUE(server_->listen_unix(state_).ok());
  const auto later = ask("GET", "/later");
  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().code, ErrorCode::kConflict);
  EXPECT_EQ(later.error().message, "D1: not now\n  wait");
  kept.reset();
  const auto never = ask("GET", "/never");
  ASSERT_FALSE(never.ok());
  EXPECT_NE(never.error().message.find("was not answered"), std::string::npos);
  const auto unknown = ask("GET", "/unknown");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
}

TEST_F(Admin, StreamsLinesUntilEitherEnds) {
  std::optional<Responder> stream;
  bool left = false;
  serve().add({"GET", "/tail", [&](const Request&, const Responder& responder) {
                 stream = responder;
                 EXPECT_TRUE(responder.stream());
                 EXPECT_TRUE(responder.write("one\ntw"));
                 EXPECT_TRUE(responder.write("o\nthree\n"));
                 responder.on_gone([&] { left = true; });
               }});
  ASSERT_TRUE(server_->listen_unix(state_).ok());
  std::vector<std::string> lines;
  Status outcome;
  const auto follow = [&](std::size_t count) {
    meanwhile([&] {
      auto client = Client::of_state(state_);
      ASSERT_TRUE(client.ok());
      outcome = client->follow("/tail", [&](std::string_view line) {
        lines.emplace_back(line);
        if (lines.size() == 3 && count > 3) {
          boost::asio::post(loop_, [&] {
            stream->write("four\n");
            stream->end();
          });
        }
        return lines.size() < count;
      });
    });
  };
  follow(9);
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "three", "four"}));
  EXPECT_TRUE(stream->gone());
  EXPECT_FALSE(left);
  lines.clear();
  follow(1);
  EXPECT_EQ(lines.size(), 1U);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!left && std::chrono::steady_clock::now() < end) {
    loop_.restart();
    loop_.run_one_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(left);
  EXPECT_FALSE(stream->write("five\n"));
}

TEST_F(Admin, AStreamThatIsNotReadIsBounded) {
  std::optional<Responder> stream;
  serve().add({"GET", "/tail", [&](const Request&, const Responder& responder) {
                 stream = responder;
                 responder.stream();
               }});
  ASSERT_TRUE(server_->listen_unix(state_).ok());
  const auto fd = net::connect_unix(state_ / kSocketName);
  ASSERT_TRUE(fd.ok());
  const std::string text = "GET /tail HTTP/1.1\r\nHost: h\r\n\r\n";
  ASSERT_EQ(::send(*fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  const std::string line(10'000, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 2'000; ++i) {
    loop_.restart();
    loop_.run_one_for(std::chrono::milliseconds(1));
    if (stream && stream->write(line)) sent += line.size();
    if (stream && sent > 0 && !stream->write(line)) break;
  }
  EXPECT_GT(sent, kStreamBytesMax / 2);
  EXPECT_LT(sent, 4 * kStreamBytesMax);  // and what the system's own buffers took
  ::close(*fd);
}

TEST_F(Admin, OnTcpWithoutATokenOnlyThisMachinesProgramsMayAsk) {
  serve().add(echo_get());
  ASSERT_TRUE(server_->listen_tcp({"127.0.0.1", 0}, "").ok());
  const std::string host = "Host: 127.0.0.1:" + std::to_string(server_->port()) + "\r\n";
  EXPECT_EQ(raw(host), "HTTP/1.1 200 OK");
  EXPECT_EQ(whole_.find("Access-Control"), std::string::npos);
  EXPECT_EQ(raw("Host: localhost\r\n"), "HTTP/1.1 200 OK");
  EXPECT_EQ(raw("Host: [::1]:1\r\n"), "HTTP/1.1 200 OK");
  EXPECT_EQ(raw("Host: rebound.example\r\n"), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(raw("Host: 127.0.0.1.example:80\r\n"), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(raw(host + "Origin: https://site.example\r\n"), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(raw(host + "Sec-Fetch-Site: cross-site\r\n"), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(raw(host + "Sec-Fetch-Site: none\r\n"), "HTTP/1.1 200 OK");
}

TEST_F(Admin, OnTcpWithATokenNobodyElseMayAsk) {
  serve().add(echo_get());
  const Status open = server_->listen_tcp({"0.0.0.0", 0}, "");
  ASSERT_FALSE(open.ok());
  EXPECT_NE(open.error().message.find("HEARTH_ADMIN_TOKEN"), std::string::npos);
  ASSERT_TRUE(server_->listen_tcp({"127.0.0.1", 0}, "secret").ok());
  EXPECT_EQ(raw("Host: any.example\r\n"), "HTTP/1.1 401 Unauthorized");
  EXPECT_NE(whole_.find("WWW-Authenticate: Bearer"), std::string::npos);
  EXPECT_EQ(raw("Host: h\r\nAuthorization: Bearer secre\r\n"), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(raw("Host: h\r\nAuthorization: Basic secret\r\n"), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(raw("Host: h\r\nAuthorization: bearer secret\r\n"), "HTTP/1.1 200 OK");
  meanwhile([&] {
    const std::string url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/";
    EXPECT_TRUE(Client::of_url(url, "secret")->ask("GET", "/echo").ok());
    const auto refused = Client::of_url(url, "wrong")->ask("GET", "/echo");
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("not the server's admin token"), std::string::npos);
  });
}

TEST(AdminClient, SaysThatNobodyServesAFolder) {
  const auto nowhere = Client::of_state("/nonexistent");
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().code, ErrorCode::kNotFound);
  const auto stopped = Client::of_state(fs::temp_directory_path());
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kNotFound);
  EXPECT_NE(stopped.error().message.find("no hearth serves"), std::string::npos);
  EXPECT_FALSE(Client::of_url("127.0.0.1:8788", "").ok());
}

// Answers one request on a socket by hand.
Result<std::string> ask_someone_who_says(const std::string& answer) {
  std::string name = (fs::temp_directory_path() / "hearth-admin-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return Error{ErrorCode::kIo, "no folder"};
  Result<std::string> heard = Error{ErrorCode::kIo, "not asked"};
  {
    net::UnixListener listener;
    if (Status status = listener.open(fs::path(name) / kSocketName, 4); !status) {
      return status.error();
    }
    std::thread thread([&] {
      auto client = Client::of_state(name);
      if (client) heard = client->ask("GET", "/");
    });
    for (int i = 0; i < 2;) {  // the first only looks whether somebody is there
      const int fd = ::accept(listener.fd(), nullptr, nullptr);
      if (fd < 0) continue;
      if (++i == 2) (void)::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      char rest[4096];
      ::shutdown(fd, SHUT_WR);
      while (::recv(fd, rest, sizeof rest, 0) > 0) {
      }
      ::close(fd);
    }
    thread.join();
  }
  fs::remove_all(name);
  return heard;
}

TEST(AdminClient, SaysThatTheServerIsOfAnotherVersion) {
  const auto answer = ask_someone_who_says(
      "HTTP/1.1 404 Not Found\r\nHearth-Version: 99.1.0\r\nContent-Length: 0\r\n\r\n");
  ASSERT_FALSE(answer.ok());
  EXPECT_NE(answer.error().message.find("the server is hearth 99.1.0"), std::string::npos)
      << answer.error().message;
}

TEST(AdminClient, SaysThatSomebodyElseAnswers) {
  const auto other = ask_someone_who_says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("not the admin interface"), std::string::npos);
  EXPECT_FALSE(ask_someone_who_says("SSH-2.0-x\r\n").ok());
  const auto cut = ask_someone_who_says(
      "HTTP/1.1 200 OK\r\nHearth-Version: 1\r\nContent-Length: 20\r\n\r\nhalf");
  ASSERT_FALSE(cut.ok());
  EXPECT_NE(cut.error().message.find("before its answer was whole"), std::string::npos);
}

TEST(AdminEndpoint, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(parse_endpoint("8788")->ip, "127.0.0.1");
  EXPECT_EQ(parse_endpoint("8788")->port, 8788);
  EXPECT_EQ(parse_endpoint("0.0.0.0:1")->ip, "0.0.0.0");
  EXPECT_EQ(parse_endpoint("[::1]:2")->ip, "::1");
  EXPECT_EQ(parse_endpoint("localhost:2")->ip, "127.0.0.1");
  for (const char* wrong :
       {"", "x", ":1", "host:1", "1.2.3.4", "1.2.3.4:", "1.2.3.4:99999", "-1"}) {
    EXPECT_FALSE(parse_endpoint(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace hearth::admin
