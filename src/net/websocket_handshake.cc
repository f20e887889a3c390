#include "net/websocket_handshake.h"

#include <openssl/evp.h>

#include "base/assert.h"

namespace hearth::net {

bool is_websocket_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  for (const char c : key.substr(0, 22)) {
    const bool base64 = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9') || c == '+' || c == '/';
    if (!base64) return false;
  }
  return true;
}

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_size = 0;
  const int made = EVP_Digest(text.data(), text.size(), digest, &digest_size, EVP_sha1(), nullptr);
  ASSERT(made == 1 && digest_size == 20, "OpenSSL makes a SHA-1 digest");
  unsigned char encoded[32];
  const int size = EVP_EncodeBlock(encoded, digest, static_cast<int>(digest_size));
  return {reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size)};
}

}  // namespace hearth::net
