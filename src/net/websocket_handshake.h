// The opening handshake's two computations (RFC 6455 sections 4.2.1 and 4.2.2). Pure.
#pragma once

#include <string>
#include <string_view>

namespace hearth::net {

// Sixteen bytes in base64, as Sec-WebSocket-Key must be.
bool is_websocket_key(std::string_view key);
// The value of Sec-WebSocket-Accept for it.
std::string websocket_accept(std::string_view key);

}  // namespace hearth::net
