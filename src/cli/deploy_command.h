// `hearth deploy`, `hearth versions` and `hearth rollback`: builds a project and gives it to a
// running hearth, over the socket of its state directory or its admin interface. Blocking.
#pragma once

namespace hearth::cli {

// `argv[0]` is the command's name. The exit code: 0, 1 when it was refused and nothing changed.
int deploy_command(int argc, const char* const* argv);
int versions_command(int argc, const char* const* argv);
int rollback_command(int argc, const char* const* argv);

}  // namespace hearth::cli
