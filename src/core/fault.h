// What a client is told when its request cannot be served, by the rule for answers: a status and a
// body for plain HTTP (a page for browsers, JSON for the rest), a frame and a close code for a
// WebSocket, so that no client is left with a bare 1006. In `serve` the cause and the place stay in
// the log and the client gets the code and a reference. Codes, titles, causes and cures are the
// catalogue's (src/project/catalogue.def). Pure, but for the reference it is given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::core {

enum class Mode { kDev, kServe };

struct Fault {
  std::string code{};  // "R407"
  std::uint16_t status = 500;
  std::string message{};            // the cause, in one or two sentences
  std::string where{};              // file:line, or the agent; may be empty
  std::string fix{};                // the edit or the act that mends it; may be empty
  std::string stack{};              // in the user's own lines; may be empty
  std::uint32_t retry_after_s = 0;  // 0: no Retry-After
  std::uint16_t close = 0;          // the WebSocket's close code, where the status does not say it
  bool in_the_open = false;         // the message holds nothing that clients may not know

  // 4xxx for what stays wrong until someone edits, 1011 to 1013 for what may pass.
  std::uint16_t close_code() const;
};

// A fault of the catalogue, which must have the code. What is not given is the catalogue's: its
// cause for the message, its cure for the fix.
Fault fault_of(std::string_view code, std::uint16_t status, std::string message = {},
               std::string fix = {});
// "R401 message (where)", the fix and the stack on lines of their own: for the log.
std::string log_text(const Fault& fault);

struct Answer {
  std::string headers;  // packed
  std::string body;
};

// `accept` is the request's Accept header.
Answer render(const Fault& fault, Mode mode, std::string_view accept, std::string_view reference);
// The body for a request that the server itself refuses: its own client's mistake, said in full.
std::string request_fault_body(std::string_view code, std::string_view message);
// The one frame that a WebSocket gets before it is closed.
std::string render_frame(const Fault& fault, Mode mode, std::string_view reference);
// At most 123 bytes, cut between characters.
std::string close_reason(const Fault& fault, Mode mode, std::string_view reference);

// From the JSON of a ResponseFailed or LoadFailed frame; what it lacks stays as given.
Fault fault_from_json(std::string_view json, Fault base);
// A stack without the frames that are Node's or the runtime's.
std::string own_frames(std::string_view stack);
// The value of a header in a packed list, by its name in any case; empty if there is none.
std::string_view header_value(std::string_view headers, std::string_view name);

}  // namespace hearth::core
