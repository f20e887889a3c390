#include "net/websocket_codec.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/websocket_handshake.h"

namespace hearth::net {
namespace {

using namespace std::string_literals;

// A client's frame, masked, with any of its parts wrong on demand.
struct Frame {
  int opcode = 1;
  std::string payload;
  bool final = true;
  int reserved = 0;  // the three bits, RSV1 is 4
  bool masked = true;
  int length_bytes = -1;  // force the 2- or 8-byte form

  std::string bytes() const {
    std::string out;
    out += static_cast<char>((final ? 0x80 : 0) | reserved << 4 | opcode);
    const std::size_t size = payload.size();
    const int width = length_bytes >= 0 ? length_bytes : size < 126 ? 0 : size < 65536 ? 2 : 8;
    const auto first = width == 0 ? size : width == 2 ? 126U : 127U;
    out += static_cast<char>((masked ? 0x80U : 0U) | first);
    for (int i = width - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
    if (!masked) return out + payload;
    const char key[4] = {'\x37', '\xfa', '\x21', '\x3d'};
    out.append(key, 4);
    for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ key[i & 3]);
    return out;
  }
};

// What a stream of frames decodes to, as one line per event.
std::vector<std::string> decode(const std::string& stream, std::size_t step, bool deflate = false,
                                std::size_t limit = 1 << 20) {
  WebSocketDecoder decoder(limit, deflate);
  Inflater inflater;
  std::vector<std::string> events;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    std::string piece = stream.substr(at, step);
    std::size_t done = 0;
    for (;;) {
      std::size_t used = 0;
      const auto event = decoder.next(piece.data() + done, piece.size() - done, used, inflater);
      done += used;
      if (event == WebSocketDecoder::Event::kNeedMore) {
        EXPECT_EQ(done, piece.size());
        break;
      }
      const std::string payload(decoder.payload());
      switch (event) {
        case WebSocketDecoder::Event::kMessage:
          events.push_back((decoder.kind() == MessageKind::kBinary      ? "binary "
                            : decoder.kind() == MessageKind::kAsciiText ? "ascii "
                                                                        : "text ") +
                           payload);
          break;
        case WebSocketDecoder::Event::kPing:
          events.push_back("ping " + payload);
          break;
        case WebSocketDecoder::Event::kPong:
          events.push_back("pong " + payload);
          break;
        case WebSocketDecoder::Event::kClose:
          events.push_back("close " + std::to_string(decoder.close_code()) + " " + payload);
          break;
        default:
          events.push_back("fault " + std::to_string(decoder.close_code()));
          return events;
      }
    }
  }
  return events;
}

void expect_events(const std::string& stream, const std::vector<std::string>& expected,
                   bool deflate = false, std::size_t limit = 1 << 20) {
  for (const std::size_t step : {stream.size() + 1, std::size_t{1}, std::size_t{2}, std::size_t{3},
                                 std::size_t{7}, std::size_t{130}}) {
    EXPECT_EQ(decode(stream, step, deflate, limit), expected) << "in steps of " << step;
  }
}

TEST(WebSocketDecoder, ReadsWholeMessagesOfEverySizeOfLength) {
  for (const std::size_t size : {0UL, 1UL, 125UL, 126UL, 127UL, 65535UL, 65536UL, 100'000UL}) {
    const std::string data(size, 'z');
    EXPECT_EQ(decode(Frame{1, data}.bytes(), 1 << 20), std::vector{"ascii " + data});
    EXPECT_EQ(decode(Frame{2, data}.bytes(), 1000), std::vector{"binary " + data});
  }
}

TEST(WebSocketDecoder, ReadsFragmentsWithControlFramesBetweenThem) {
  expect_events(Frame{1, "one ", false}.bytes() + Frame{9, "are you there"}.bytes() +
                    Frame{0, "", false}.bytes() + Frame{0, "two ", false}.bytes() +
                    Frame{10, ""}.bytes() + Frame{0, "three"}.bytes() +
                    Frame{2, "\x00\xff"s}.bytes(),
                {"ping are you there", "pong ", "ascii one two three", "binary \x00\xff"s});
}

TEST(WebSocketDecoder, ChecksUtf8AcrossFragmentsAndFailsAtOnce) {
  expect_events(Frame{1, "\xe2\x82", false}.bytes() + Frame{0, "\xac"}.bytes(),
                {"text \xe2\x82\xac"});
  expect_events(Frame{1, "a\xe2\x82"}.bytes(), {"fault 1007"});
  expect_events(
      Frame{1, "\xed", false}.bytes() + Frame{9, "x"}.bytes() + Frame{0, "\xa0\x80"}.bytes(),
      {"ping x", "fault 1007"});
  // The frame is not whole yet, and its first byte is already wrong.
  const std::string begun = Frame{1, "\xff" + std::string(500, 'a')}.bytes().substr(0, 20);
  EXPECT_EQ(decode(begun, 1), std::vector<std::string>{"fault 1007"});
  expect_events(Frame{2, "\xff\xfe"}.bytes(), {"binary \xff\xfe"});
}

TEST(WebSocketDecoder, RefusesWhatTheProtocolForbids) {
  const std::string open = Frame{1, "a", false}.bytes();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"an unmasked frame", Frame{1, "a", true, 0, false}.bytes()},
      {"an unmasked ping", Frame{9, "", true, 0, false}.bytes()},
      {"RSV1 without the extension", Frame{1, "a", true, 4}.bytes()},
      {"RSV2", Frame{1, "a", true, 2}.bytes()},
      {"RSV3 on a control frame", Frame{9, "a", true, 1}.bytes()},
      {"opcode 3", Frame{3, "a"}.bytes()},
      {"opcode 7", Frame{7, "a"}.bytes()},
      {"opcode 11", Frame{11, "a"}.bytes()},
      {"opcode 15", Frame{15, "a"}.bytes()},
      {"a fragmented ping", Frame{9, "a", false}.bytes()},
      {"a fragmented close", Frame{8, "", false}.bytes()},
      {"a ping of 126 bytes", Frame{9, std::string(126, 'p')}.bytes()},
      {"a continuation of nothing", Frame{0, "a"}.bytes()},
      {"a continuation after the end", Frame{1, "a"}.bytes() + Frame{0, "a"}.bytes()},
      {"text within a message", open + Frame{1, "b"}.bytes()},
      {"binary within a message", open + Frame{2, "b", false}.bytes()},
      {"125 in two length bytes", Frame{1, std::string(125, 'a'), true, 0, true, 2}.bytes()},
      {"65535 in eight length bytes", Frame{2, std::string(65535, 'a'), true, 0, true, 8}.bytes()},
      {"a ping with two length bytes", Frame{9, "abc", true, 0, true, 2}.bytes()},
      {"a length with its top bit set", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01"s + "mask"},
      {"half a close code", Frame{8, "\x03"}.bytes()},
  };
  for (const auto& [name, stream] : cases) {
    for (const std::size_t step : {stream.size(), std::size_t{1}, std::size_t{5}}) {
      const auto events = decode(stream, step);
      ASSERT_FALSE(events.empty()) << name;
      EXPECT_EQ(events.back(), "fault 1002") << name << " in steps of " << step;
    }
  }
}

TEST(WebSocketDecoder, ReadsCloseFramesAndChecksTheirCodes) {
  const auto payload = [](int code, const std::string& reason) {
    return std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason;
  };
  expect_events(Frame{8, ""}.bytes(), {"close 1005 "});
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                         3000, 3999, 4000, 4999}) {
    expect_events(Frame{8, payload(code,
                                   "b\xc3\xbc"
                                   "e")}
                      .bytes(),
                  {"close " + std::to_string(code) +
                   " b\xc3\xbc"
                   "e"});
  }
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    expect_events(Frame{8, payload(code, "")}.bytes(), {"fault 1002"});
  }
  expect_events(Frame{8, payload(1000, "\xff")}.bytes(), {"fault 1007"});
  expect_events(Frame{8, payload(1000, "\xe2\x82")}.bytes(), {"fault 1007"});
}

TEST(WebSocketDecoder, RefusesMessagesOverTheLimitFromTheirHeadsAlone) {
  expect_events(Frame{2, std::string(100, 'a')}.bytes(), {"binary " + std::string(100, 'a')}, false,
                100);
  expect_events(Frame{2, std::string(101, 'a')}.bytes().substr(0, 6), {"fault 1009"}, false, 100);
  expect_events(
      Frame{2, std::string(60, 'a'), false}.bytes() + Frame{0, std::string(41, 'a')}.bytes(),
      {"fault 1009"}, false, 100);
  expect_events("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"s + "mask", {"fault 1009"}, false, 100);
}

TEST(WebSocketDecoder, InflatesMessagesWhereCompressionIsAgreed) {
  Deflater deflater;
  const std::string text =
      "compressed text that repeats, compressed text that repeats \xe2\x82\xac";
  const std::string small(*deflater.compress(text, 15));
  expect_events(Frame{1, small, true, 4}.bytes() + Frame{1, "plain"}.bytes(),
                {"text " + text, "ascii plain"}, true);
  const std::string first = small.substr(0, 5);
  expect_events(
      Frame{1, first, false, 4}.bytes() + Frame{9, "p"}.bytes() + Frame{0, small.substr(5)}.bytes(),
      {"ping p", "text " + text}, true);
  expect_events(
      Frame{1, small.substr(0, 5), false, 4}.bytes() + Frame{0, small.substr(5), true, 4}.bytes(),
      {"fault 1002"}, true);
  expect_events(Frame{9, "a", true, 4}.bytes(), {"fault 1002"}, true);
  expect_events(Frame{2, "\xff\xff\xff", true, 4}.bytes(), {"fault 1007"}, true);
  expect_events(Frame{1, small, true, 4}.bytes(), {"fault 1009"}, true, text.size() - 1);
  std::string latin(2000, '\xe9');
  expect_events(Frame{1, std::string(*deflater.compress(latin, 15)), true, 4}.bytes(),
                {"fault 1007"}, true);
}

TEST(WebSocketDecoder, HoldsNothingBetweenMessages) {
  WebSocketDecoder decoder(1 << 20, false);
  Inflater inflater;
  const std::string idle_bytes = Frame{2, std::string(50'000, 'a')}.bytes();
  for (std::size_t at = 0; at < idle_bytes.size(); at += 10'000) {
    std::string piece = idle_bytes.substr(at, 10'000);
    std::size_t used = 0;
    (void)decoder.next(piece.data(), piece.size(), used, inflater);
  }
  std::size_t used = 0;
  EXPECT_EQ(decoder.next(nullptr, 0, used, inflater), WebSocketDecoder::Event::kNeedMore);
  EXPECT_LT(decoder.bytes_held(), 64U);
  EXPECT_FALSE(decoder.mid_message());
}

TEST(WebSocketFrames, LengthsAreWrittenInTheirShortestForm) {
  char head[kFrameHeadBytesMax];
  EXPECT_EQ(std::string(head, encode_frame_head(head, Opcode::kText, false, 125)), "\x81\x7d");
  EXPECT_EQ(std::string(head, encode_frame_head(head, Opcode::kBinary, true, 126)),
            "\xc2\x7e\x00\x7e"s);
  EXPECT_EQ(std::string(head, encode_frame_head(head, Opcode::kText, false, 65535)),
            "\x81\x7e\xff\xff");
  EXPECT_EQ(std::string(head, encode_frame_head(head, Opcode::kText, false, 65536)),
            "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s);
}

TEST(WebSocketFrames, CloseReasonsAreCutAtACharactersBoundary) {
  EXPECT_EQ(close_payload(1001, "bye"),
            "\x03\xe9"
            "bye");
  EXPECT_EQ(close_payload(1005, "bye"), "");
  EXPECT_EQ(close_payload(1006, ""), "");
  std::string reason(122, 'a');
  reason += "\xc3\xa9";  // its second byte would be the 124th
  EXPECT_EQ(close_payload(4000, reason).size(), 2U + 122U);
  EXPECT_EQ(close_payload(4000, "\xff"), "\x0f\xa0");
}

TEST(WebSocketHandshake, TheAcceptOfTheRfcsExample) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketHandshake, AKeyIsSixteenBytesInBase64) {
  EXPECT_TRUE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
  for (const char* key :
       {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25 ZQ==", "dGhlIHNhbXBsZSBub25jZQAA"}) {
    EXPECT_FALSE(is_websocket_key(key)) << key;
  }
}

}  // namespace
}  // namespace hearth::net
