#pragma once

#include "host/base/time.hpp"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace quorate::testing {

// Throws the std::system_error of errno.
[[noreturn]] void throw_errno(const std::string& what);

// How to start a program.
struct Command {
    std::vector<std::string> words;        // words[0]: its path
    std::vector<std::string> environment;  // "NAME=value", added to ours
    std::string out;                       // files that its output is appended to; may be the same
    std::string err;
};

// A child process of ours. Ended with SIGKILL by the destructor, and by the kernel if we die
// first. Only ever signals the process that it started: until it is waited for, its id cannot
// belong to another. Throws std::system_error. Thread: one.
class Process {
 public:
    explicit Process(const Command& command);
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    ~Process();

    pid_t id() const { return id_; }
    bool running();
    void signal(int number);
    // How it ended: its exit code, or minus the signal. Nothing if it runs on after `timeout`.
    std::optional<int> wait(Duration timeout);
    // From now on it can write no file beyond this offset: EFBIG, once it ignores the signal.
    void limit_files(std::uint64_t bytes);
    // From /proc, in bytes; 0 if it is gone.
    std::uint64_t resident_bytes() const;

 private:
    pid_t id_ = 0;
    int descriptor_ = -1;  // a pidfd
    std::optional<int> end_;
};

// What a program printed, and its exit code (or minus the signal that ended it).
struct Ran {
    int code = 0;
    std::string out;
    std::string err;
};
// Runs a program to its end. Throws std::runtime_error if that takes longer than `timeout`.
Ran run(std::vector<std::string> words, std::vector<std::string> environment = {},
        Duration timeout = 60s);

// A datagram socket for sd_notify's messages. "@name" is one without a file.
class NotifySocket {
 public:
    explicit NotifySocket(std::string path);
    NotifySocket(const NotifySocket&) = delete;
    ~NotifySocket();
    const std::string& path() const { return path_; }
    // True once `word` ("READY=1") came; false if the process ended before or the time is over.
    bool wait_for(const std::string& word, Process& process, Duration timeout);
    // Everything that has come by now.
    std::vector<std::string> received();

 private:
    void receive();
    std::string path_;
    int socket_;
    std::vector<std::string> received_;
};

// Holds a free TCP port of the loopback interface: the kernel gives it to nobody else by chance,
// while a program that names it can listen there, also again after it was killed.
class ReservedPort {
 public:
    ReservedPort();
    ReservedPort(ReservedPort&& other) noexcept;
    ReservedPort& operator=(ReservedPort&&) = delete;
    ~ReservedPort();
    std::uint16_t port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
    int socket_ = -1;
    std::uint16_t port_ = 0;
};

// A new empty directory on the real disk, removed at the end unless QUORATE_KEEP is set.
class ScratchDirectory {
 public:
    ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ~ScratchDirectory();
    const std::string& path() const { return path_; }

 private:
    std::string path_;
};

// The content of a file; empty if there is none.
std::string read_text(const std::string& path);
// The last lines of a text.
std::string last_lines(const std::string& text, std::size_t count);

}  // namespace quorate::testing
