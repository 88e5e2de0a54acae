#pragma once

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <initializer_list>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace quorate::testing {

// Words as a frame's table has them.
inline std::string little_endian(std::initializer_list<std::uint32_t> words) {
    std::string bytes;
    for (std::uint32_t word : words) bytes.append(reinterpret_cast<const char*>(&word), 4);
    return bytes;
}

// A client without manners: a plain non-blocking socket that sends whatever bytes it is told to.
class RawSocket {
 public:
    explicit RawSocket(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ =
            ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::fcntl(descriptor_, F_SETFL, O_NONBLOCK);
    }
    ~RawSocket() { ::close(descriptor_); }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;

    bool connected() const { return connected_; }

    // As much as the kernel takes now.
    std::size_t send(std::string_view bytes) {
        ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }

    // What has come by now is appended to received(). True once the other side has closed.
    bool closed_by_other_side() {
        char buffer[65536];
        for (;;) {
            ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, 0);
            if (count > 0) {
                received_.append(buffer, static_cast<std::size_t>(count));
                continue;
            }
            return count == 0 || (errno != EAGAIN && errno != EINTR);
        }
    }
    const std::string& received() const { return received_; }

 private:
    int descriptor_;
    bool connected_ = false;
    std::string received_;
};

}  // namespace quorate::testing
