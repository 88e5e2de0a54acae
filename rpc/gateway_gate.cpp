// The way in: Gate and Host of client.capnp.

#include "rpc/gateway_client.hpp"

#include <utility>

namespace quorate::rpc {
namespace {

// In time that tells nothing of where the two differ.
bool equal_tokens(std::string_view given, std::string_view wanted) {
    unsigned difference = given.size() == wanted.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        auto right = wanted.empty() ? '\0' : wanted[i % wanted.size()];
        difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(right);
    }
    return difference == 0;
}

class HostServer final : public schema::Host::Server {
 public:
    explicit HostServer(GatewayClientPtr client) : client_(client), held_(std::move(client)) {}

    kj::Promise<void> group(GroupContext context) override {
        context.allowCancellation();
        auto params = context.getParams();
        if (!client_->take(call_bytes)) {
            encode(overloaded(*client_), context.getResults().initFailed());
            return kj::READY_NOW;
        }
        auto [promise, done] = await<Result<std::shared_ptr<group::GroupPort>>>();
        client_->service.open_group(Source::text(params.getName()),
                                    client_->deadline(params.getTimeoutMs()),
                                    giving_back(client_, call_bytes, std::move(done)));
        return promise.then([context, client = client_](auto port) mutable {
            auto results = context.getResults();
            if (port.has_value()) {
                results.setGroup(make_group(client, std::move(*port)));
            } else {
                encode(port.error(), results.initFailed());
            }
        });
    }

    kj::Promise<void> admin(AdminContext context) override {
        context.getResults().setAdmin(make_admin(client_));
        return kj::READY_NOW;
    }

    kj::Promise<void> hosts(HostsContext context) override {
        std::vector<group::KnownHost> known = client_->service.known_hosts();
        auto out = context.getResults().initHosts(static_cast<unsigned>(known.size()));
        for (unsigned i = 0; i < known.size(); ++i) {
            encode(group::HostSummary{.host = known[i], .reachable = known[i].connected}, out[i]);
        }
        return kj::READY_NOW;
    }

 private:
    GatewayClientPtr client_;
    Held held_;
};

class GateServer final : public schema::Gate::Server {
 public:
    explicit GateServer(GatewayClientPtr client) : client_(std::move(client)) {}

    kj::Promise<void> hello(HelloContext context) override {
        auto results = context.getResults();
        results.setProtocol(schema::PROTOCOL_VERSION);
        results.setSoftware(client_->options.software);
        results.setCluster(client_->service.cluster());
        results.setHost(client_->service.name());
        return kj::READY_NOW;
    }

    kj::Promise<void> login(LoginContext context) override {
        const std::string& wanted = client_->options.token;
        std::string given = Source::text(context.getParams().getToken());
        if (wanted.empty() || equal_tokens(given, wanted)) {
            if (!std::exchange(client_->logged_in, true)) client_->welcome();
            context.getResults().setHost(kj::heap<HostServer>(client_));
            return kj::READY_NOW;
        }
        encode(access_denied(given.empty()), context.getResults().initFailed());
        if (++refused_ == client_->options.max_login_attempts)
            client_->hang_up("it tried too many tokens");
        return kj::READY_NOW;
    }

 private:
    Error access_denied(bool none_given) const {
        std::string host = "host '" + client_->service.name() + "' ";
        return fail(Errc::access_denied,
                    none_given ? host + "lets in only who brings a token, and none was given"
                               : host + "does not know the token that was given",
                    "give what listen.token of the host's configuration says: ClientOptions.token, "
                    "or QUORATE_TOKEN or --token for `quorate`");
    }

    GatewayClientPtr client_;
    std::uint32_t refused_ = 0;
};

}  // namespace

Error overloaded(const GatewayClient& client) {
    bool own = client.inflight.bytes * 2 > client.inflight.limit;
    const InFlight& full = own ? client.inflight : *client.all;
    return fail_overloaded(
        std::to_string(full.bytes) + " bytes of " +
            (own ? "this connection" : "all clients of host '" + client.service.name() + "'") +
            " wait for answers; at most " + std::to_string(full.limit) + " may",
        full.rate.retry_after_ms(full.bytes));
}

capnp::Capability::Client make_gate(GatewayClientPtr client) {
    return kj::heap<GateServer>(std::move(client));
}

}  // namespace quorate::rpc
