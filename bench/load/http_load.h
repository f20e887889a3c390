// Keep-alive GET requests (RFC 9112) as load.
#pragma once

#include "options.h"

namespace hearth::load {

// Every answer must be a 200 with a length; anything else ends the run with a failure.
// Prints {"measuring":true} when the warm-up is over.
void run_http(const Options& options);

}  // namespace hearth::load
