#pragma once

#include "host/base/result.hpp"
#include "host/base/time.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace quorate::cli {

// A free TCP port of the loopback interface, as it is now. It lies below those of outgoing
// connections, if any does: one of them could have it when a host that was down wants it back; even
// a peer that dials the host meanwhile, and so connects to itself.
Result<std::uint16_t> free_port();

// The process with this id is alive and has `argument` in its command line.
bool is_process(pid_t pid, const std::string& argument);

// A signal to a process, and its end.
Result<void> send_signal(pid_t pid, int signal);
// True if it ended within the timeout.
bool wait_until_gone(pid_t pid, const std::string& argument, Duration timeout);

// A datagram socket for sd_notify's messages.
class ReadySocket {
 public:
    static Result<ReadySocket> open(std::string path);
    ReadySocket(ReadySocket&& other) noexcept;
    ReadySocket& operator=(ReadySocket&&) = delete;
    ~ReadySocket();
    const std::string& path() const { return path_; }
    // True when READY=1 came; false if the process ended or the time is over before.
    bool wait_ready(pid_t pid, Duration timeout);

 private:
    ReadySocket(std::string path, int socket) : path_(std::move(path)), socket_(socket) {}
    std::string path_;
    int socket_;
};

// Starts a program in a session of its own, its output appended to `log`, with NOTIFY_SOCKET set.
Result<pid_t> spawn(const std::vector<std::string>& command, const std::string& log,
                    const std::string& notify_socket);

// The last lines of a text file, for messages.
std::string tail(const std::string& path, std::size_t lines);

}  // namespace quorate::cli
