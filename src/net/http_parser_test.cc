#include "net/http_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/http_response.h"

namespace hearth::net {
namespace {

using namespace std::string_literals;

constexpr std::size_t kBodyMax = 1000;

// What a stream parses to: "GET /a +body" for each request, then "fault 400" where it ends so.
std::vector<std::string> parse(const std::string& stream, std::size_t step,
                               std::size_t room = SIZE_MAX) {
  HttpParser parser(64 * 1024, kBodyMax);
  std::vector<std::string> out;
  std::string body, rest;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    const std::string piece = stream.substr(at, step);
    std::size_t done = 0;
    for (;;) {
      std::size_t used = 0;
      const auto event = parser.next(std::string_view(piece).substr(done), room, used);
      done += used;
      if (event == HttpParser::Event::kNeedMore) {
        EXPECT_EQ(done, piece.size());
        break;
      }
      if (event == HttpParser::Event::kFault) {
        EXPECT_FALSE(parser.fault().message.empty());
        out.push_back("fault " + std::to_string(parser.fault().status));
        return out;
      }
      if (event == HttpParser::Event::kHead) {
        out.push_back(parser.head().method + " " + parser.head().target);
        body.clear();
      } else if (event == HttpParser::Event::kBody) {
        EXPECT_LE(parser.body().size(), room);
        body.append(parser.body());
      } else if (event == HttpParser::Event::kBodyEnd) {
        out.back() += " +" + body;
      }
    }
  }
  return out;
}

void expect(const std::string& stream, const std::vector<std::string>& expected) {
  for (const std::size_t step :
       {stream.size() + 1, std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{64}}) {
    ASSERT_EQ(parse(stream, step), expected) << "in steps of " << step << ":\n"
                                             << stream.substr(0, 300);
  }
  ASSERT_EQ(parse(stream, 16, 3), expected) << "with room for three bytes of body";
}

std::string get(const std::string& lines) {
  return "GET / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n";
}
std::string post(const std::string& lines, const std::string& body) {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n" + body;
}

TEST(HttpParser, ReadsRequestsOneAfterAnother) {
  expect(get("") + "\r\n" + get("A: b\r\n") + post("Content-Length: 3\r\n", "abc") + get(""),
         {"GET /", "GET /", "POST /p +abc", "GET /"});
}

TEST(HttpParser, KeepsHeadersAsTheyCame) {
  HttpParser parser(64 * 1024, kBodyMax);
  std::size_t used = 0;
  const std::string text =
      get("X-Mixed:  padded value \t\r\nEmpty:\r\nX-Mixed: again\r\nHigh: \xe9\r\n");
  ASSERT_EQ(parser.next(text, 0, used), HttpParser::Event::kHead);
  EXPECT_EQ(used, text.size());
  EXPECT_EQ(parser.head().headers,
            "Host\0h\0X-Mixed\0padded value\0Empty\0\0X-Mixed\0again\0High\0\xe9\0"s);
  EXPECT_EQ(parser.head().host, "h");
}

TEST(HttpParser, ReadsChunkedBodiesAndDropsTrailers) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  expect(post(chunked, "3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n") + get(""),
         {"POST /p +abc0123456789", "GET /"});
  expect(post("Transfer-Encoding: CHUNKED\r\n",
              "1;ext=\"v\";b\r\nx\r\n0\r\nTrailer: gone\r\nB: c\r\n\r\n") +
             get(""),
         {"POST /p +x", "GET /"});
  expect(post(chunked, "0\r\n\r\n"), {"POST /p +"});
  expect(post(chunked, "000000003\r\nabc\r\n000\r\n\r\n"), {"POST /p +abc"});
}

TEST(HttpParser, RefusesWrongChunks) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const char* body : {"x\r\n",
                           "\r\n",
                           "-1\r\n",
                           "+1\r\nx\r\n",
                           "0x1\r\nx\r\n",
                           " 1\r\nx\r\n",
                           "1 \r\nx\r\n",
                           "1\nx\r\n",
                           "1\r\nxy\r\n",
                           "1\r\nx\n",
                           "1\r\nx\rz",
                           "1\r\rx",
                           "10000000000000000\r\n",
                           "1;a\x01"
                           "b\r\n",
                           "1;a\nx\r\n",
                           "0\r\n\n",
                           "0\r\nbad trailer\r\n\r\n",
                           "0\r\n folded: x\r\n\r\n",
                           "0\r\nA : b\r\n\r\n",
                           "0\r\nA: b\n\r\n"}) {
    expect(post(chunked, body), {"POST /p", "fault 400"});
  }
  expect(post(chunked, "1;" + std::string(20'000, 'e') + "\r\n"), {"POST /p", "fault 400"});
  expect(post(chunked, "0\r\nA: " + std::string(70'000, 't') + "\r\n\r\n"),
         {"POST /p", "fault 431"});
}

TEST(HttpParser, RefusesBodiesOverTheLimit) {
  expect(post("Content-Length: 1001\r\n", ""), {"fault 413"});
  expect(post("Content-Length: 999999999999999999\r\n", ""), {"fault 413"});
  expect(post("Transfer-Encoding: chunked\r\n", "3e9\r\n"), {"POST /p", "fault 413"});
  expect(post("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n"), {"POST /p", "fault 413"});
  expect(post("Transfer-Encoding: chunked\r\n", "3e8\r\n" + std::string(1000, 'a') + "\r\n1\r\n"),
         {"POST /p", "fault 413"});
}

TEST(HttpParser, RefusesWhatCouldBeReadInTwoWays) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"two lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")},
      {"two different lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc")},
      {"a list of lengths", post("Content-Length: 3, 3\r\n", "abc")},
      {"a negative length", post("Content-Length: -3\r\n", "abc")},
      {"a signed length", post("Content-Length: +3\r\n", "abc")},
      {"a hexadecimal length", post("Content-Length: 0x3\r\n", "abc")},
      {"an empty length", post("Content-Length:\r\n", "abc")},
      {"a length past 64 bits", post("Content-Length: 99999999999999999999\r\n", "abc")},
      {"length and coding", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "")},
      {"coding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "")},
      {"chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "")},
      {"chunked in two lines",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "")},
      {"an empty coding", post("Transfer-Encoding:\r\n", "")},
      {"a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"a bare LF in the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n"},
      {"a bare LF in a header", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n"},
      {"a bare LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n"},
      {"a bare CR in a header", get("A: b\rC: d\r\n")},
      {"obs-fold", get("A: b\r\n c\r\n")},
      {"obs-fold with a tab", get("A: b\r\n\tc\r\n")},
      {"a space before the first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
      {"a space before the colon", get("A : b\r\n")},
      {"a header without a colon", get("Abc\r\n")},
      {"a header without a name", get(": b\r\n")},
      {"a header's name with a slash", get("A/B: c\r\n")},
      {"a NUL in a header", get("A: b\0c\r\n"s)},
      {"a NUL in a name", get("A\0: b\r\n"s)},
      {"a control character in a header", get("A: b\x01\r\n")},
      {"a DEL in a header", get("A: b\x7f\r\n")},
      {"two Hosts", get("Host: h\r\n")},
      {"no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n"},
      {"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"a Host with user information", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
      {"two Hosts in one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"no version", "GET /\r\nHost: h\r\n\r\n"},
      {"three spaces", "GET / x HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a space at the end", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
      {"a tab", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n"},
      {"a long version", "GET / HTTP/1.10\r\nHost: h\r\n\r\n"},
      {"a fragment", "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a target without a slash", "GET a HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"another scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a URL without a host", "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a URL with a user", "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"GET *", "GET * HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a control character in the target", "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a method with a slash", "G/T / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00"s},
      {"garbage", "\x80\x81\x82"},
      {"empty lines without end", "\r\n\r\n\r\n\r\n\r\n\r\n"},
  };
  for (const auto& [name, stream] : cases) {
    SCOPED_TRACE(name);
    expect(stream, {"fault 400"});
  }
}

TEST(HttpParser, RefusesWhatItDoesNotOffer) {
  expect(post("Transfer-Encoding: gzip, chunked\r\n", ""), {"fault 501"});
  expect(post("Transfer-Encoding: identity\r\n", ""), {"fault 501"});
  expect(post("Transfer-Encoding: chunked, gzip\r\n", ""), {"fault 501"});
  expect("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", {"fault 501"});
  expect("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", {"fault 501"});
  expect("GET / HTTP/2.0\r\nHost: h\r\n\r\n", {"fault 505"});
  expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {"fault 505"});
  expect(post("Expect: the best\r\nContent-Length: 1\r\n", "a"), {"fault 417"});
}

TEST(HttpParser, AHeadMayHave64KiBAndNoByteMore) {
  const std::string frame = get("A: \r\n");
  const std::string fits = get("A: " + std::string(64 * 1024 - frame.size(), 'a') + "\r\n");
  ASSERT_EQ(fits.size(), 64U * 1024);
  expect(fits, {"GET /"});
  expect(get("A: " + std::string(64 * 1024 - frame.size() + 1, 'a') + "\r\n"), {"fault 431"});
  expect("GET /" + std::string(70'000, 'a'), {"fault 431"});
}

RequestHead head_of(const std::string& text, HttpFault* fault = nullptr) {
  HttpParser parser(64 * 1024, kBodyMax);
  std::size_t used = 0;
  if (parser.next(text, 0, used) == HttpParser::Event::kFault && fault != nullptr)
    *fault = parser.fault();
  return parser.head();
}

TEST(HttpHead, PersistenceFollowsVersionAndConnection) {
  EXPECT_TRUE(head_of(get("")).keep_alive);
  EXPECT_FALSE(head_of(get("Connection: close\r\n")).keep_alive);
  EXPECT_FALSE(head_of(get("Connection: Upgrade, CLOSE\r\n")).keep_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(head_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

TEST(HttpHead, ExpectationsCountOnlyWhereABodyComes) {
  EXPECT_TRUE(head_of(post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "")).expect_continue);
  EXPECT_FALSE(head_of(get("Expect: 100-continue\r\n")).expect_continue);
}

TEST(HttpHead, UrlsAreAbsoluteAndAscii) {
  const auto url = [](const std::string& head) {
    return absolute_url(head_of(head), "http", "127.0.0.1:80");
  };
  EXPECT_EQ(url("GET /a?b=c HTTP/1.1\r\nHost: h:8787\r\n\r\n"), "http://h:8787/a?b=c");
  EXPECT_EQ(url("GET /a HTTP/1.0\r\n\r\n"), "http://127.0.0.1:80/a");
  EXPECT_EQ(url("GET http://other/a HTTP/1.1\r\nHost: h\r\n\r\n"), "http://other/a");
  EXPECT_EQ(url("GET /m\xc3\xbc HTTP/1.1\r\nHost: h\r\n\r\n"), "http://h/m%C3%BC");
  EXPECT_EQ(url("GET //evil/x HTTP/1.1\r\nHost: [::1]:8\r\n\r\n"), "http://[::1]:8//evil/x");
}

std::string handshake(const std::string& change, const std::string& to) {
  std::string text =
      "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  if (!change.empty()) text.replace(text.find(change), change.size(), to);
  return text;
}

TEST(HttpHead, AHandshakeIsCheckedAndItsFaultNamed) {
  EXPECT_TRUE(head_of(handshake("", "")).upgrade);
  EXPECT_FALSE(head_of(handshake("Upgrade: WebSocket", "Upgrade: h2c")).upgrade);
  const auto fault = [](const std::string& change, const std::string& to) {
    HttpFault result{0, ""};
    (void)head_of(handshake(change, to), &result);
    return result;
  };
  EXPECT_EQ(fault("Version: 13", "Version: 8").status, 426);
  EXPECT_EQ(fault("Sec-WebSocket-Version: 13\r\n", "").status, 426);
  for (const auto& [change, to] : std::vector<std::pair<std::string, std::string>>{
           {"dGhlIHNhbXBsZSBub25jZQ==", "short"},
           {"Sec-WebSocket-Key", "X-Key"},
           {"keep-alive, Upgrade", "keep-alive"},
           {"GET", "POST"},
           {"Host: h", "Host: h\r\nContent-Length: 2"}}) {
    const HttpFault result = fault(change, to);
    EXPECT_EQ(result.status, 400) << change;
    EXPECT_NE(result.message.find("WebSocket"), std::string::npos) << result.message;
  }
}

TEST(HttpHead, WhatAProxyLeavesOfAHandshakeIsNamed) {
  const auto fault = [](const std::string& head) {
    HttpFault result{0, ""};
    (void)head_of(head, &result);
    return result;
  };
  std::string stripped = handshake("Upgrade: WebSocket\r\n", "");
  stripped.replace(stripped.find("keep-alive, Upgrade"), 19, "keep-alive");
  EXPECT_EQ(fault(stripped).status, 426);
  EXPECT_NE(fault(stripped).message.find("without Upgrade"), std::string::npos);
  const HttpFault old = fault(handshake("HTTP/1.1", "HTTP/1.0"));
  EXPECT_EQ(old.status, 426);
  EXPECT_NE(old.message.find("HTTP/1.0"), std::string::npos);
}

struct Written {
  std::string text;
  ResponseFrame frame;
};
Written write(std::uint16_t status, const std::string& headers, std::optional<std::uint64_t> body,
              RequestTraits traits = {}) {
  Written written;
  written.frame = write_response_head(written.text, status, "", headers, body, traits, "D");
  return written;
}

TEST(HttpResponse, BodiesAreFramedAsTheRequestAllows) {
  EXPECT_EQ(write(200, "A\0b\0"s, 5).text,
            "HTTP/1.1 200 OK\r\nA: b\r\nDate: D\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(write(200, "", std::nullopt).frame.framing, Framing::kChunked);
  EXPECT_EQ(write(200,
                  "content-length\0"
                  "7\0"s,
                  std::nullopt)
                .frame.framing,
            Framing::kSized);
  const Written old = write(200, "", std::nullopt, {false, 0, true});
  EXPECT_EQ(old.frame.framing, Framing::kUntilClose);
  EXPECT_FALSE(old.frame.keep_alive);
  EXPECT_NE(write(200, "", 5, {false, 0, true}).text.find("Connection: keep-alive"),
            std::string::npos);
}

TEST(HttpResponse, HeadAndStatusesWithoutBodiesHaveNone) {
  EXPECT_EQ(write(204, "", 0).text, "HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n");
  EXPECT_EQ(write(304, "", 0).text, "HTTP/1.1 304 Not Modified\r\nDate: D\r\n\r\n");
  EXPECT_EQ(write(204, "", std::nullopt).frame.framing, Framing::kNoBody);
  const Written head = write(200,
                             "Content-Length\0"
                             "9\0"s,
                             0, {true, 1, true});
  EXPECT_EQ(head.frame.framing, Framing::kNoBody);
  EXPECT_NE(head.text.find("Content-Length: 9\r\n"), std::string::npos);
  EXPECT_NE(write(200, "", 9, {true, 1, true}).text.find("Content-Length: 9\r\n"),
            std::string::npos);
}

TEST(HttpResponse, HeadersThatWouldSplitTheResponseAreLeftOut) {
  const Written written = write(
      200, "A\0b\r\nSet-Cookie: x\0B C\0d\0Transfer-Encoding\0chunked\0Connection\0close\0E\0f\0"s,
      0);
  EXPECT_EQ(written.text,
            "HTTP/1.1 200 OK\r\nE: f\r\nDate: D\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST(HttpResponse, DatesAreWrittenAsTheRfcHasThem) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace hearth::net
