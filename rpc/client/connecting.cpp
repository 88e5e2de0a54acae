// How a link to one endpoint comes about: TCP, hello, login.

#include "rpc/client/connections.hpp"
#include "rpc/client/decode.hpp"

#include <algorithm>

namespace quorate::client {

// The attempt goes on if this caller gives up: the next one may want it.
kj::Promise<Result<LinkPtr>> Connections::connect(const std::string& endpoint, Time deadline) {
    auto found = dialling_.find(endpoint);
    if (found == dialling_.end() || *found->second.over) {
        auto over = std::make_shared<bool>(false);
        auto link = dial(endpoint).then([this, endpoint, over](Result<LinkPtr> dialled) {
            *over = true;
            // Not from within its own continuation; what it holds must not outlive its use.
            loop_.post([this, endpoint] { forget_dialling(endpoint); });
            if (!dialled.has_value()) whereabouts_.failed(endpoint, now());
            return dialled;
        });
        Dialling dialling{link.fork(), over};
        found = dialling_.insert_or_assign(endpoint, kj::mv(dialling)).first;
    }
    auto late = sleep_until(deadline).then([endpoint] {
        return Result<LinkPtr>(fail(Errc::unreachable, endpoint + ": not connected in time"));
    });
    return found->second.link.addBranch().exclusiveJoin(kj::mv(late));
}

void Connections::forget_dialling(const std::string& endpoint) {
    auto found = dialling_.find(endpoint);
    if (found != dialling_.end() && *found->second.over) dialling_.erase(found);
}

kj::Promise<Result<LinkPtr>> Connections::dial(std::string endpoint) {
    using Dialled = Result<std::unique_ptr<loop::Connection>>;
    auto paf = kj::newPromiseAndFulfiller<Dialled>();
    // The connector may outlive the Scope in a task of the loop: it must own no KJ object.
    auto fulfiller =
        std::make_shared<kj::Own<kj::PromiseFulfiller<Dialled>>>(kj::mv(paf.fulfiller));
    std::weak_ptr<kj::Own<kj::PromiseFulfiller<Dialled>>> weak = fulfiller;
    auto connector = std::make_shared<loop::Connector>(loop_, endpoint, options_.connect_timeout,
                                                       [weak](Dialled dialled) {
                                                           if (auto waiting = weak.lock())
                                                               (*waiting)->fulfill(kj::mv(dialled));
                                                       });
    auto linked =
        paf.promise.attach(kj::mv(connector), kj::mv(fulfiller))
            .then([this, endpoint](Dialled connection) mutable -> kj::Promise<Result<LinkPtr>> {
                if (connection.has_value()) return greet(std::move(*connection), endpoint);
                return Result<LinkPtr>(connection.error());
            });
    auto late = sleep_until(now() + options_.connect_timeout).then([endpoint] {
        return Result<LinkPtr>(fail(Errc::unreachable, endpoint + " did not answer in time"));
    });
    return linked.exclusiveJoin(kj::mv(late));
}

kj::Promise<Result<LinkPtr>> Connections::greet(std::unique_ptr<loop::Connection> connection,
                                                std::string endpoint) {
    auto link = std::make_shared<Link>();
    link->endpoint = endpoint;
    link->rpc = std::make_unique<loop::RpcConnection>(std::move(connection), loop::RpcOptions{});
    auto gone = kj::newPromiseAndFulfiller<void>();
    link->gone = gone.promise.fork();
    auto fulfiller = std::make_shared<kj::Own<kj::PromiseFulfiller<void>>>(kj::mv(gone.fulfiller));
    link->rpc->on_disconnect([this, weak = std::weak_ptr<Link>(link), fulfiller](const Error&) {
        if (auto ended = weak.lock()) broken(ended);
        (*fulfiller)->fulfill();
    });
    auto gate = link->rpc->bootstrap().castAs<schema::Gate>();
    auto hello = gate.helloRequest();
    hello.setProtocol(schema::PROTOCOL_VERSION);
    hello.setSoftware(text_of(options_.software));
    return hello.send()
        .then([this, link, gate](capnp::Response<schema::Gate::HelloResults> answer) mutable
              -> kj::Promise<Result<LinkPtr>> {
            link->server = {answer.getProtocol(), answer.getSoftware().cStr(),
                            answer.getCluster().cStr(), answer.getHost().cStr(), link->endpoint};
            if (auto checked = check_server(link->server); !checked.has_value())
                return Result<LinkPtr>(checked.error());
            return log_in(link, gate);
        })
        .catch_([endpoint](kj::Exception&& e) { return Result<LinkPtr>(rpc_error(e, endpoint)); });
}

Result<void> Connections::check_server(const ServerInfo& server) {
    if (server.protocol != schema::PROTOCOL_VERSION) {
        return fail(Errc::version_mismatch, server.endpoint + " speaks protocol " +
                                                std::to_string(server.protocol) + ", this client " +
                                                std::to_string(schema::PROTOCOL_VERSION));
    }
    if (!cluster_.empty() && server.cluster != cluster_) {
        return fail(Errc::cluster_mismatch,
                    server.endpoint + " is host '" + server.host + "' of cluster '" +
                        server.cluster + "', and this client talks to cluster '" + cluster_ + "'",
                    "name endpoints of one cluster only; a client has one cluster");
    }
    return {};
}

kj::Promise<Result<LinkPtr>> Connections::log_in(LinkPtr link, schema::Gate::Client gate) {
    auto login = gate.loginRequest();
    login.setToken(text_of(options_.token));
    return login.send().then(
        [this, link](capnp::Response<schema::HostResult> answer) -> Result<LinkPtr> {
            if (answer.isFailed()) return within(link->endpoint, decode(answer.getFailed()));
            link->host = answer.getHost();
            cluster_ = link->server.cluster;
            whereabouts_.works(link->endpoint, link->server.host);
            links_[link->endpoint] = link;
            keep(learn_hosts(link));
            return link;
        });
}

kj::Promise<void> Connections::learn_hosts(LinkPtr link) {
    return link->host.hostsRequest().send().then(
        [this](capnp::Response<schema::Host::HostsResults> answer) {
            for (auto host : answer.getHosts()) {
                whereabouts_.heard(host.getName().cStr(), host.getClientAddress().cStr());
            }
        });
}

}  // namespace quorate::client
