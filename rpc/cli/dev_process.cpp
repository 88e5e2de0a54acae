#include "rpc/cli/dev_process.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <random>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace quorate::cli {
namespace {

Error system_error(std::string what) {
    return fail(Errc::io, fmt::format("{}: {}", what, std::strerror(errno)));
}

// A file descriptor that tells when the process ends; -1 if it is gone.
int open_pidfd(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// The kernel takes the ports of outgoing connections from here on.
std::uint16_t first_outgoing_port() {
    std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
    std::uint16_t first = 0;
    return range >> first ? first : std::uint16_t{32'768};
}

// The port that a socket could be bound to; 0 asks for any.
std::optional<std::uint16_t> bound_to(std::uint16_t port) {
    int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return std::nullopt;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    bool bound = ::bind(socket, generic, sizeof address) == 0 &&
                 ::getsockname(socket, generic, &length) == 0;
    int why = errno;
    ::close(socket);
    errno = why;
    if (!bound) return std::nullopt;
    return ntohs(address.sin_port);
}

int milliseconds(Duration duration) {
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

Result<std::uint16_t> free_port() {
    constexpr std::uint16_t lowest = 10'000;
    constexpr int attempts = 64;
    std::uint16_t end = first_outgoing_port();
    std::random_device random;
    for (int i = 0; i < attempts && end > lowest + attempts; ++i) {
        std::uniform_int_distribution<unsigned> any(lowest, end - 1U);
        if (auto port = bound_to(static_cast<std::uint16_t>(any(random)))) return *port;
    }
    if (auto port = bound_to(0)) return *port;
    return system_error("cannot find a free port on 127.0.0.1");
}

bool is_process(pid_t pid, const std::string& argument) {
    if (pid <= 0) return false;
    std::ifstream file(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
    std::string line{std::istreambuf_iterator<char>(file), {}};
    return line.find(argument) != std::string::npos;
}

Result<void> send_signal(pid_t pid, int signal) {
    if (::kill(pid, signal) == 0 || errno == ESRCH) return {};
    return system_error(fmt::format("cannot signal process {}", pid));
}

bool wait_until_gone(pid_t pid, const std::string& argument, Duration timeout) {
    int pidfd = open_pidfd(pid);
    if (pidfd >= 0) {
        pollfd wanted{pidfd, POLLIN, 0};
        ::poll(&wanted, 1, milliseconds(timeout));
        ::close(pidfd);
    }
    ::waitpid(pid, nullptr, WNOHANG);  // ours if this very program started it
    return !is_process(pid, argument);
}

Result<ReadySocket> ReadySocket::open(std::string path) {
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path) {
        return fail(Errc::request_invalid, path + " is too long for a socket's path",
                    "set QUORATE_DEV_DIR to a shorter directory");
    }
    ::unlink(path.c_str());
    int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return system_error("cannot make a socket");
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(socket);
        return system_error("cannot bind " + path);
    }
    return ReadySocket(std::move(path), socket);
}

ReadySocket::ReadySocket(ReadySocket&& other) noexcept
    : path_(std::move(other.path_)), socket_(std::exchange(other.socket_, -1)) {}

ReadySocket::~ReadySocket() {
    if (socket_ < 0) return;
    ::close(socket_);
    ::unlink(path_.c_str());
}

bool ReadySocket::wait_ready(pid_t pid, Duration timeout) {
    auto end = std::chrono::steady_clock::now() + timeout;
    int pidfd = open_pidfd(pid);
    bool ready = false;
    while (pidfd >= 0 && !ready) {
        auto left = std::chrono::duration_cast<Duration>(end - std::chrono::steady_clock::now());
        pollfd wanted[2] = {{socket_, POLLIN, 0}, {pidfd, POLLIN, 0}};
        if (left <= Duration::zero() || ::poll(wanted, 2, milliseconds(left) + 1) <= 0) break;
        char text[512];
        ssize_t count = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
        if (count > 0) {
            ready = std::string_view(text, static_cast<std::size_t>(count)).find("READY=1") !=
                    std::string_view::npos;
        } else if ((wanted[1].revents & POLLIN) != 0) {
            break;
        }
    }
    if (pidfd >= 0) ::close(pidfd);
    return ready;
}

Result<pid_t> spawn(const std::vector<std::string>& command, const std::string& log,
                    const std::string& notify_socket) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::string notify = "NOTIFY_SOCKET=" + notify_socket;
    std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        if (std::strncmp(*variable, "NOTIFY_SOCKET=", 14) != 0) environment.push_back(*variable);
    }
    environment.push_back(notify.data());
    environment.push_back(nullptr);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // What this process does with signals is its own affair.
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    pid_t pid = 0;
    int error = ::posix_spawn(&pid, command.front().c_str(), &files, &attributes, arguments.data(),
                              environment.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) {
        return fail(Errc::io,
                    fmt::format("cannot start {}: {}", command.front(), std::strerror(error)));
    }
    return pid;
}

std::string tail(const std::string& path, std::size_t lines) {
    std::ifstream file(path);
    std::deque<std::string> last;
    for (std::string line; std::getline(file, line);) {
        last.push_back(line);
        if (last.size() > lines) last.pop_front();
    }
    return fmt::format("{}", fmt::join(last, "\n"));
}

}  // namespace quorate::cli
