#include "tests/support/process.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

// What a test and the programs it starts meet at: notification sockets and ports.
namespace quorate::testing {
NotifySocket::NotifySocket(std::string path)
    : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) throw std::length_error(path_);
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    if (path_.front() == '@') address.sun_path[0] = '\0';
    ::unlink(path_.c_str());
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    if (socket_ < 0 || ::bind(socket_, generic, length) != 0) throw_errno(path_);
}

NotifySocket::~NotifySocket() {
    ::close(socket_);
    ::unlink(path_.c_str());
}

void NotifySocket::receive() {
    char text[512];
    for (;;) {
        ssize_t count = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
        if (count <= 0) return;
        received_.emplace_back(text, static_cast<std::size_t>(count));
    }
}

std::vector<std::string> NotifySocket::received() {
    receive();
    return received_;
}

bool NotifySocket::wait_for(const std::string& word, Process& process, Duration timeout) {
    auto end = std::chrono::steady_clock::now() + timeout;
    auto came = [&] {
        receive();
        return std::ranges::any_of(received_, [&](const std::string& message) {
            return message.find(word) != std::string::npos;
        });
    };
    while (std::chrono::steady_clock::now() < end) {
        bool runs = process.running();
        if (came()) return true;
        if (!runs) return false;
        pollfd wanted{socket_, POLLIN, 0};
        ::poll(&wanted, 1, 50);  // then again: it may have ended instead
    }
    return false;
}

ReservedPort::ReservedPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // Bound and never listening: with this option on both sides another may listen there.
    int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (socket_ < 0 || ::bind(socket_, generic, sizeof address) != 0 ||
        ::getsockname(socket_, generic, &length) != 0) {
        throw_errno("reserving a port");
    }
    port_ = ntohs(address.sin_port);
}

ReservedPort::ReservedPort(ReservedPort&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), port_(other.port_) {}

ReservedPort::~ReservedPort() {
    if (socket_ >= 0) ::close(socket_);
}

}  // namespace quorate::testing
