// A server whose requests a test answers, and clients that write them by hand.
#pragma once

#include <string>

#include "net/testing/fixture.h"

namespace hearth::net::testing {

class HttpServer : public ServerTest {
 protected:
  void answer_with_target() {
    seen_.request_hook = [this](const Request& request) {
      server_->respond(request.id, 200, "OK", {}, request.target);
    };
  }
  static std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
  }
  bool ask(Client& client, const std::string& text, std::size_t count) {
    client.send(text);
    return turn_until([&] { return seen_.requests.size() >= count; });
  }
};

}  // namespace hearth::net::testing
