#include "rpc/gateway.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "rpc/gateway_client.hpp"
#include "rpc/loop/rpc_connection.hpp"
#include "rpc/loop/tcp.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace quorate::rpc {
namespace {

loop::RpcOptions rpc_options(const GatewayOptions& options) {
    loop::RpcOptions out;
    out.stream.connection.frames.max_bytes =
        std::min(options.stranger_message_bytes, options.max_message_bytes);
    out.stream.connection.max_queued_bytes = options.max_queued_bytes;
    out.stream.connection.stall_timeout = options.stall_timeout;
    out.stream.congested_bytes = options.congested_bytes;
    // Twice, so that what is too much is refused in words rather than left unread.
    out.max_call_bytes = 2 * options.max_inflight_bytes + options.max_message_bytes;
    return out;
}

}  // namespace

class Gateway::Impl {
 public:
    Impl(loop::EventLoop& loop, GatewayOptions options)
        : loop_(loop),
          options_(std::move(options)),
          in_flight_(std::make_shared<InFlight>(InFlight{options_.max_all_inflight_bytes})) {}
    ~Impl() {
        for (auto& [id, one] : clients_) {
            loop_.cancel(one.login_timer);
            one.state->answers->close();
        }
    }

    Result<void> listen() {
        TRY(listener_, loop::Listener::open(loop_, options_.listen, [this](auto connection) {
                accepted(std::move(connection));
            }));
        address = to_string(listener_->local());
        return {};
    }

    void start(group::HostService& service) {
        CHECK(service_ == nullptr, "started once");
        service_ = &service;
        for (auto& connection : std::exchange(early_, {})) serve(std::move(connection));
    }

    std::size_t connections() const { return clients_.size(); }
    std::string address;

 private:
    struct Client {
        GatewayClientPtr state;
        std::unique_ptr<loop::RpcConnection> rpc;
        loop::TimerId login_timer = 0;
    };

    void accepted(std::unique_ptr<loop::Connection> connection) {
        if (clients_.size() + early_.size() >= options_.max_connections) {
            log::debug("client_refused", "a client was turned away: too many are connected",
                       {{"remote", connection->remote()}});
        } else if (service_ == nullptr) {
            early_.push_back(std::move(connection));
        } else {
            serve(std::move(connection));
        }
    }

    void serve(std::unique_ptr<loop::Connection> connection) {
        std::uint64_t id = ++last_id_;
        Client& client = clients_[id];
        auto welcome = [this, id] {
            loop::FrameLimits limits;
            limits.max_bytes = options_.max_message_bytes;
            clients_.at(id).rpc->set_frame_limits(limits);
        };
        auto hang_up = [this, id](std::string_view why) { this->hang_up(id, why); };
        auto answers = std::make_shared<Answers>(Answers::Environment{
            loop_, options_.congested_bytes, options_.stall_timeout, options_.pressed_timeout,
            [this] { return service_->is_short_of_room(); }, hang_up});
        client.state = std::make_shared<GatewayClient>(
            GatewayClient{loop_, *service_, options_, hang_up, welcome, in_flight_, answers});
        client.rpc = std::make_unique<loop::RpcConnection>(
            std::move(connection), make_gate(client.state), rpc_options(options_));
        answers->set_queued([rpc = client.rpc.get()] { return rpc->queued_bytes(); });
        client.rpc->on_drained([raw = answers.get()] { raw->drained(); });
        client.rpc->on_disconnect([this, id](const Error& why) {
            log::debug("client_gone", "a client's connection ended", {{"why", to_string(why)}});
            end(id);
        });
        client.login_timer = loop_.at(loop_.now() + options_.login_timeout, [this, id] {
            Client& waiting = clients_.at(id);
            waiting.login_timer = 0;
            if (!waiting.state->logged_in) end(id);
        });
    }

    void hang_up(std::uint64_t id, std::string_view why) {
        auto found = clients_.find(id);
        if (found == clients_.end()) return;
        log::warning("client_closed", "a client's connection was closed",
                     {{"remote", found->second.rpc->remote()}, {"why", std::string(why)}});
        // Not from within a call of its own.
        loop_.cancel(found->second.login_timer);
        found->second.login_timer = loop_.at(loop_.now(), [this, id] { end(id); });
    }

    void end(std::uint64_t id) {
        auto found = clients_.find(id);
        if (found == clients_.end()) return;
        loop_.cancel(found->second.login_timer);
        found->second.state->answers->close();
        clients_.erase(found);
    }

    loop::EventLoop& loop_;
    GatewayOptions options_;
    const std::shared_ptr<InFlight> in_flight_;  // over all connections
    group::HostService* service_ = nullptr;
    std::unique_ptr<loop::Listener> listener_;
    std::vector<std::unique_ptr<loop::Connection>> early_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, Client> clients_;
};

Result<std::unique_ptr<Gateway>> Gateway::open(loop::EventLoop& loop, GatewayOptions options) {
    auto impl = std::make_unique<Impl>(loop, std::move(options));
    TRY_VOID(impl->listen());
    return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gateway::~Gateway() = default;
void Gateway::start(group::HostService& service) {
    impl_->start(service);
}
const std::string& Gateway::address() const {
    return impl_->address;
}
std::size_t Gateway::connections() const {
    return impl_->connections();
}

}  // namespace quorate::rpc
