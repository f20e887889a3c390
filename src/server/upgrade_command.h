// `hearth upgrade`: finds the server that runs on a state directory, asks it to hand over to
// another program, and tells how that goes.
#pragma once

#include "server/options.h"

namespace hearth::server {

int upgrade_command(const Options& options);

}  // namespace hearth::server
