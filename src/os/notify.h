// Tells a service manager that started this process with NOTIFY_SOCKET (systemd, Type=notify) how
// it is, in the words of sd_notify(3), such as "READY=1". Nothing happens without one.
#pragma once

#include <string_view>

namespace hearth::os {

void notify_manager(std::string_view state);

}  // namespace hearth::os
