// The first process of a container (process 1) may not end when another has taken its place, for
// the container ends with it: it stays, does nothing but pass signals on to whoever serves and
// clear away what ends, and ends when nothing is left, as the last server did.
#pragma once

#include <filesystem>

namespace hearth::server {

// Signals are kept from here on, to be passed on: called as soon as another serves, so that none
// is lost on the way.
void prepare_to_stay();
// The exit code of the process that held `state`'s lock last.
int stay_as_init(const std::filesystem::path& state);

}  // namespace hearth::server
