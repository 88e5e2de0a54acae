#pragma once

#include <string_view>

namespace quorate::daemon {

// Tells the service manager how we are (sd_notify(3)): a datagram to $NOTIFY_SOCKET, if that is set.
// "READY=1", "STOPPING=1", "STATUS=...". Nobody listening is not an error. Thread: main.
void notify_manager(std::string_view message);

}  // namespace quorate::daemon
