#include "rpc/loop/tcp.hpp"

#include "host/base/log.hpp"
#include "rpc/loop/connection_impl.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <charconv>
#include <utility>

namespace quorate::loop {
namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

Result<Endpoint> parse_endpoint(const std::string& text) {
    auto bad = [&text](const char* why) {
        return fail(Errc::address_invalid, "the address '" + text + "' " + why);
    };
    std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return bad("has no port");
    std::string host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string::npos) {
        return bad("is IPv6 and lacks its brackets");
    }
    if (host.empty()) return bad("has no host");
    std::uint16_t port = 0;
    const char* end = text.data() + text.size();
    auto [stopped, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc{} || stopped != end) return bad("has no valid port");
    return Endpoint{std::move(host), port};
}

std::string to_string(const Endpoint& endpoint) {
    bool v6 = endpoint.host.find(':') != std::string::npos;
    return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

// ---- listener ---------------------------------------------------------------------------------

class Listener::Impl : public std::enable_shared_from_this<Listener::Impl> {
 public:
    Impl(EventLoop& loop, tcp::acceptor listening, Accepted accepted)
        : loop_(loop), acceptor_(std::move(listening)), accepted_(std::move(accepted)) {
        tcp::endpoint bound = acceptor_.local_endpoint();
        local = Endpoint{bound.address().to_string(), bound.port()};
    }

    void accept() {
        acceptor_.async_accept(
            [self = shared_from_this()](const error_code& error, tcp::socket socket) {
                if (!self->acceptor_.is_open()) return;
                if (error) return self->try_again_later(error);
                self->accepted_(std::make_unique<Connection>(
                    std::make_shared<Connection::Impl>(self->loop_, std::move(socket))));
                if (self->acceptor_.is_open()) self->accept();
            });
    }

    void close() {
        loop_.cancel(retry_);
        error_code ignored;
        acceptor_.close(ignored);
    }

    Endpoint local;

 private:
    // Out of descriptors, most likely: accepting at once would fail again, and so burn the thread.
    void try_again_later(const error_code& error) {
        log::warning("accept_failed", "a connection could not be accepted; trying again shortly",
                     {{"listen", to_string(local)}, {"why", error.message()}});
        retry_ = loop_.at(loop_.now() + 100ms, [self = shared_from_this()] { self->accept(); });
    }

    EventLoop& loop_;
    tcp::acceptor acceptor_;
    Accepted accepted_;
    TimerId retry_ = 0;
};

namespace {

Result<tcp::endpoint> resolve_now(EventLoop& loop, const std::string& address) {
    TRY(Endpoint endpoint, parse_endpoint(address));
    error_code error;
    tcp::resolver resolver(loop.io());
    auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port),
                                  tcp::resolver::passive, error);
    if (error || found.empty()) {
        return fail(Errc::address_invalid,
                    "the address '" + address + "' cannot be resolved: " + error.message());
    }
    return found.begin()->endpoint();
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(EventLoop& loop, const std::string& address,
                                                 Accepted accepted) {
    TRY(tcp::endpoint endpoint, resolve_now(loop, address));
    tcp::acceptor acceptor(loop.io());
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        return fail(
            error == asio::error::address_in_use ? Errc::address_in_use : Errc::address_invalid,
            "cannot listen on " + address + ": " + error.message());
    }
    auto impl = std::make_shared<Impl>(loop, std::move(acceptor), std::move(accepted));
    impl->accept();
    return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Listener::Listener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() {
    impl_->close();
}
const Endpoint& Listener::local() const {
    return impl_->local;
}

// ---- connector --------------------------------------------------------------------------------

class Connector::Impl : public std::enable_shared_from_this<Connector::Impl> {
 public:
    Impl(EventLoop& loop, std::string address, Connected done)
        : loop_(loop),
          address_(std::move(address)),
          done_(std::move(done)),
          resolver_(loop.io()),
          socket_(loop.io()) {}

    void start(Duration timeout) {
        timer_ = loop_.at(loop_.now() + timeout, [self = shared_from_this()] {
            self->end(fail(Errc::unreachable, self->address_ + " did not answer in time"));
        });
        Result<Endpoint> endpoint = parse_endpoint(address_);
        if (!endpoint.has_value()) {
            loop_.post([self = shared_from_this(), error = endpoint.error()] { self->end(error); });
            return;
        }
        error_code not_numeric;
        asio::ip::address literal = asio::ip::make_address(endpoint->host, not_numeric);
        if (!not_numeric) return connect(std::array{tcp::endpoint(literal, endpoint->port)});
        // On a thread of Asio's own.
        resolver_.async_resolve(endpoint->host, std::to_string(endpoint->port),
                                [self = shared_from_this()](const error_code& error,
                                                            tcp::resolver::results_type found) {
                                    if (!self->done_) return;
                                    if (error) return self->end(self->refused(error));
                                    self->connect(found);
                                });
    }

    void abandon() {
        done_ = nullptr;
        release();
    }

 private:
    template <class Endpoints>
    void connect(const Endpoints& endpoints) {
        asio::async_connect(
            socket_, endpoints, [self = shared_from_this()](const error_code& why, const auto&) {
                if (!self->done_) return;
                if (why) return self->end(self->refused(why));
                self->end(std::make_unique<Connection>(
                    std::make_shared<Connection::Impl>(self->loop_, std::move(self->socket_))));
            });
    }

    Error refused(const error_code& error) const {
        return fail(Errc::unreachable, "connecting to " + address_ + ": " + error.message());
    }

    void end(Result<std::unique_ptr<Connection>> result) {
        if (!done_) return;
        Connected done = std::exchange(done_, nullptr);
        release();
        done(std::move(result));
    }

    void release() {
        loop_.cancel(std::exchange(timer_, 0));
        resolver_.cancel();
        error_code ignored;
        socket_.close(ignored);
    }

    EventLoop& loop_;
    std::string address_;
    Connected done_;
    tcp::resolver resolver_;
    tcp::socket socket_;
    TimerId timer_ = 0;
};

Connector::Connector(EventLoop& loop, const std::string& address, Duration timeout, Connected done)
    : impl_(std::make_shared<Impl>(loop, address, std::move(done))) {
    impl_->start(timeout);
}

Connector::~Connector() {
    impl_->abandon();
}

}  // namespace quorate::loop
