// WebSockets (RFC 6455) as load: an echo with a number of messages in flight, or connections that
// only stay open.
#pragma once

#include "options.h"

namespace hearth::load {

// Every answer must equal what was sent, in order; anything else ends the run with a failure.
// Prints {"measuring":true} when the warm-up is over, so that the server's CPU time can be read.
void run_websocket_echo(const Options& options);

// Opens them all, prints {"open":N}, and holds them until standard input ends.
void run_idle(const Options& options);

}  // namespace hearth::load
