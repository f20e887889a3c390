// What a client's connection is made of, as far as another process needs it to go on where this one
// stops: the bytes read and not yet understood, the bytes not yet written, and where in a frame or
// a message it is. The socket itself goes beside it. A server gives these up and takes them in
// through Handover; while it is held nothing is read, so that no byte is with two processes.
//
// Compression needs nothing here: it is agreed on without context takeover, so between messages
// neither side holds a window, and a message in progress is kept as it came.
//
// Loop thread; owned by the server.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "net/server.h"

namespace hearth::net {

// A WebSocketDecoder between two reads.
struct DecoderState {
  std::string message;  // of the message in progress: earlier fragments, or a part of a frame
  std::string control;  // of a control frame in progress
  std::string head;     // of a frame: the bytes that have come
  std::uint64_t remaining = 0;
  std::uint32_t mask = 0;
  std::uint32_t utf8 = 0;
  std::uint8_t phase = 0;
  std::uint8_t opcode = 0;
  std::uint8_t message_opcode = 0;
  bool compressed = false;
  bool final = false;
  bool in_payload = false;
};

struct ConnectionState {
  bool web_socket = false;
  std::string input;                // read, and not yet taken by the session
  std::vector<std::string> output;  // not yet written: whole frames but for the first
  bool output_started = false;      // the first begins within a frame
  // ---- WebSocket
  std::uint8_t window_bits = 0;  // of the compression agreed on; 0: none
  std::uint32_t silent_ms = 0;   // since the client was last heard
  bool pinged = false;
  bool pong_owed = false;
  bool close_sent = false;  // the client's own close frame is awaited
  std::string pong;
  DecoderState decoder;
};

class Handover {
 public:
  virtual ~Handover() = default;

  // ---- the process that leaves
  // Held: nobody is accepted, no WebSocket is read and no request begun; what is being answered
  // goes on. Let go of by hold(false), as if nothing had been.
  virtual void hold(bool held) = 0;
  virtual int listener() const = 0;
  // Each connection that another process can go on with. `socket` is 0 for one that speaks HTTP.
  // True when it is taken; that must be settled before the loop turns again.
  using Show = std::function<bool(SocketId socket, int descriptor, const ConnectionState& state)>;
  virtual void show(const Show& show) = 0;
  // Closes this process's copies of all that were taken, without a word to anybody.
  virtual void let_go() = 0;

  // ---- the process that comes
  // Listens on a socket that listens already. Nothing is accepted while held.
  virtual Status adopt_listener(int descriptor) = 0;
  // Takes the socket over; it is read once the server is no longer held. 0 for one that speaks
  // HTTP.
  virtual SocketId adopt(int descriptor, ConnectionState state) = 0;
};

}  // namespace hearth::net
