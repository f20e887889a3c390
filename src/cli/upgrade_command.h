// `hearth upgrade`: finds the server that runs on a state directory, asks it to hand over to
// another program, and tells how that goes.
#pragma once

#include "server/options.h"

namespace hearth::cli {

int upgrade_command(const server::Options& options);

}  // namespace hearth::cli
