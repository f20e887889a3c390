// permessage-deflate (RFC 7692) by zlib. Both directions are negotiated without context takeover,
// so one compressor and one decompressor of the event loop serve every socket and an idle socket
// holds nothing. Owned by the server; used on its thread; what is returned lives until the next
// call.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::net {

// Messages below this gain nothing from compression without context takeover.
inline constexpr std::size_t kCompressBytesMin = 1024;

struct DeflateAgreement {
  int server_window_bits = 15;
  std::string response;  // the value of Sec-WebSocket-Extensions in the 101
};

// Picks the first offer that can be met, from the value of Sec-WebSocket-Extensions (several header
// lines joined by a comma). Empty: none; the extension is declined, and the handshake goes on.
std::optional<DeflateAgreement> negotiate_deflate(std::string_view offers);

class Deflater {
 public:
  Deflater();
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // The message compressed, without the trailing 00 00 ff ff; nothing when that saves no bytes.
  std::optional<std::string_view> compress(std::string_view message, int window_bits);
  // Gives back what one large message made it hold.
  void trim();

 private:
  struct State;
  std::array<std::unique_ptr<State>, 16> states_;  // by window bits; 9 to 15 are made when needed
  std::string out_;
};

class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // The message inflated. kLimit past `bytes_max` (found while inflating), kInvalid when it is not
  // DEFLATE data or ends in the middle of a block. `message` must not be this object's own output.
  Result<std::string_view> inflate(std::string_view message, std::size_t bytes_max);
  // Gives back what one large message made it hold.
  void trim();

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::string out_;
};

}  // namespace hearth::net
