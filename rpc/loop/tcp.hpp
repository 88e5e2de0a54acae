#pragma once

#include "host/base/result.hpp"
#include "rpc/loop/connection.hpp"

#include <functional>
#include <memory>
#include <string>

namespace quorate::loop {

// "host:port", with an IPv6 literal in brackets: "[::1]:7700".
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
};
// Errc::address_invalid.
Result<Endpoint> parse_endpoint(const std::string& text);
std::string to_string(const Endpoint& endpoint);

// Accepts TCP connections until destroyed. Thread: the loop's.
class Listener {
 public:
    using Accepted = std::function<void(std::unique_ptr<Connection>)>;

    // Binds and listens at once. Port 0 takes a free one. A name is resolved here, which may block:
    // for start-up. Errc::address_invalid, address_in_use.
    static Result<std::unique_ptr<Listener>> open(EventLoop& loop, const std::string& address,
                                                  Accepted accepted);
    ~Listener();
    const Endpoint& local() const;  // with the port that was bound

 private:
    class Impl;
    explicit Listener(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

// One attempt to connect; destroying it gives the attempt up. Thread: the loop's.
class Connector {
 public:
    using Connected = std::function<void(Result<std::unique_ptr<Connection>>)>;

    // Resolves the address (without blocking) and tries what it resolves to in turn, all within `timeout`.
    // `done` is called once, never from within this call. Errc::address_invalid, unreachable.
    Connector(EventLoop& loop, const std::string& address, Duration timeout, Connected done);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

 private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace quorate::loop
