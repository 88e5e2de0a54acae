#include "rpc/client/connections.hpp"

#include "rpc/client/decode.hpp"

#include <kj/debug.h>

#include <algorithm>
#include <limits>

namespace quorate::client {
namespace {

constexpr Duration retry_pause = 50ms;

}  // namespace

struct Connections::OnThread {
    explicit OnThread(kj::TaskSet::ErrorHandler& handler) : tasks(handler) {}
    kj::TaskSet tasks;
};

std::uint32_t milliseconds_left(Time deadline, Time now) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(left, 1, std::numeric_limits<std::uint32_t>::max()));
}

Error rpc_error(const kj::Exception& exception, const std::string& endpoint) {
    bool gone = exception.getType() == kj::Exception::Type::DISCONNECTED;
    return fail(gone ? Errc::unreachable : Errc::protocol,
                endpoint + ": " + std::string(exception.getDescription().cStr()));
}

Connections::Connections(ClientOptions options) : options_(std::move(options)) {
    thread_ = std::thread([this] { thread_main(); });
}

Connections::~Connections() {
    shut_down();
}

bool Connections::run(Task task) {
    return closed_.with([this, &task](bool closed) {
        if (!closed) loop_.post(std::move(task));
        return !closed;
    });
}

void Connections::at_end(Task task) {
    run([this, task = std::move(task)] { at_end_.push_back(task); });
}

void Connections::shut_down() {
    run([this] { ending_ = true; });
    if (thread_.joinable()) thread_.join();
}

void Connections::thread_main() {
    loop::EventLoop::Scope scope(loop_);
    {
        OnThread here(*this);
        here_ = &here;
        scope.run_until([this] { return ending_; }, std::chrono::hours(24 * 365 * 100));
        here_ = nullptr;
        for (const Task& task : at_end_) task();
    }
    links_.clear();
    closed_.with([](bool& closed) { closed = true; });
    // What was posted before that runs now, finds nothing to keep it, and so ends as cancelled.
    bool drained = false;
    loop_.post([&drained] { drained = true; });
    scope.run_until([&drained] { return drained; }, 1s);
}

void Connections::taskFailed(kj::Exception&&) {
    // Every promise that is kept ends its operation itself; what arrives here belongs to none.
}

void Connections::keep(kj::Promise<void> promise) {
    if (here_ != nullptr) here_->tasks.add(kj::mv(promise));
}

kj::Promise<void> Connections::sleep_until(Time when) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    auto fulfiller = std::make_shared<kj::Own<kj::PromiseFulfiller<void>>>(kj::mv(paf.fulfiller));
    // The timer may outlive the Scope: it must own no KJ object, so it holds a weak reference.
    std::weak_ptr<kj::Own<kj::PromiseFulfiller<void>>> weak = fulfiller;
    loop::TimerId timer = loop_.at(when, [weak] {
        if (auto waiting = weak.lock()) (*waiting)->fulfill();
    });
    return paf.promise.attach(kj::mv(fulfiller), kj::defer([this, timer] { loop_.cancel(timer); }));
}

void Connections::drop(const LinkPtr& link) {
    auto found = links_.find(link->endpoint);
    if (found == links_.end() || found->second != link) return;
    links_.erase(found);
    if (current_ == link->endpoint) current_.clear();
    std::erase_if(leaders_, [&link](const auto& led) { return led.second == link->server.host; });
}

std::string Connections::leader_endpoint(const std::string& group) const {
    auto leader = leaders_.find(group);
    if (leader == leaders_.end()) return {};
    auto host = hosts_.find(leader->second);
    return host == hosts_.end() ? std::string{} : host->second;
}

void Connections::learn_leader(const std::string& group, const std::string& host) {
    if (!host.empty()) leaders_[group] = host;
}

// Every endpoint once: the preferred, the last that worked, those connected, those given, those learnt.
std::vector<std::string> Connections::candidates(const std::string& preferred) const {
    std::vector<std::string> list;
    auto add = [&list](const std::string& endpoint) {
        if (!endpoint.empty() && std::ranges::find(list, endpoint) == list.end())
            list.push_back(endpoint);
    };
    add(preferred);
    add(current_);
    for (const auto& [endpoint, link] : links_) add(endpoint);
    for (const std::string& endpoint : options_.endpoints) add(endpoint);
    for (const auto& [name, endpoint] : hosts_) add(endpoint);
    return list;
}

kj::Promise<Result<LinkPtr>> Connections::link(std::string endpoint, Time deadline) {
    std::vector<std::string> list = candidates(endpoint);
    if (auto found = links_.find(list.front()); found != links_.end())
        return Result<LinkPtr>(found->second);
    return try_endpoints(std::move(list), 0, {}, deadline);
}

kj::Promise<Result<LinkPtr>> Connections::try_endpoints(std::vector<std::string> endpoints,
                                                        std::size_t at, std::string tried,
                                                        Time deadline) {
    if (at == endpoints.size()) {
        if (now() + retry_pause >= deadline) {
            return Result<LinkPtr>(fail(Errc::unreachable, "no host answers: " + tried));
        }
        return sleep_until(now() + retry_pause)
            .then([this, endpoints = std::move(endpoints), deadline]() mutable {
                return try_endpoints(std::move(endpoints), 0, {}, deadline);
            });
    }
    std::string endpoint = endpoints[at];
    if (auto found = links_.find(endpoint); found != links_.end()) {
        current_ = endpoint;
        return Result<LinkPtr>(found->second);
    }
    // A host that takes connections and says nothing must leave time for the others.
    Duration share = (deadline - now()) / static_cast<std::int64_t>(endpoints.size() - at);
    Time until = now() + std::max<Duration>(std::min(share, options_.connect_timeout), 1ms);
    return connect(endpoint, until)
        .then([this, endpoints = std::move(endpoints), at, tried = std::move(tried), endpoint,
               deadline](Result<LinkPtr> link) mutable -> kj::Promise<Result<LinkPtr>> {
            if (link.has_value()) {
                current_ = endpoint;
                return kj::mv(link);
            }
            if (link.error().code != Errc::unreachable) return kj::mv(link);
            tried += (tried.empty() ? "" : "; ") + link.error().what;
            return try_endpoints(std::move(endpoints), at + 1, std::move(tried), deadline);
        });
}

kj::Promise<Connections::Dialled> Connections::dial(std::string endpoint, Duration timeout) {
    auto paf = kj::newPromiseAndFulfiller<Dialled>();
    auto fulfiller =
        std::make_shared<kj::Own<kj::PromiseFulfiller<Dialled>>>(kj::mv(paf.fulfiller));
    auto connector = std::make_shared<loop::Connector>(
        loop_, endpoint, timeout,
        [fulfiller](Dialled dialled) { (*fulfiller)->fulfill(kj::mv(dialled)); });
    return paf.promise.attach(kj::mv(connector));
}

kj::Promise<Result<LinkPtr>> Connections::connect(std::string endpoint, Time until) {
    return dial(endpoint, until - now())
        .then([this, endpoint, until](Dialled connection) mutable -> kj::Promise<Result<LinkPtr>> {
            if (!connection.has_value()) {
                return Result<LinkPtr>(within(endpoint, connection.error()));
            }
            return greet(std::move(*connection), endpoint, until);
        });
}

kj::Promise<Result<LinkPtr>> Connections::greet(std::unique_ptr<loop::Connection> connection,
                                                std::string endpoint, Time until) {
    auto link = std::make_shared<Link>();
    link->endpoint = endpoint;
    link->rpc = std::make_unique<loop::RpcConnection>(std::move(connection), loop::RpcOptions{});
    std::weak_ptr<Link> weak = link;
    link->rpc->on_disconnect([this, weak](const Error&) {
        if (auto broken = weak.lock()) drop(broken);
    });
    auto gate = link->rpc->bootstrap().castAs<schema::Gate>();
    auto hello = gate.helloRequest();
    hello.setProtocol(schema::PROTOCOL_VERSION);
    hello.setSoftware(options_.software.c_str());
    auto greeted = hello.send().then(
        [this, link, gate](capnp::Response<schema::Gate::HelloResults> answer) mutable
        -> kj::Promise<Result<LinkPtr>> {
            link->server = {answer.getProtocol(), answer.getSoftware().cStr(),
                            answer.getCluster().cStr(), answer.getHost().cStr(), link->endpoint};
            if (answer.getProtocol() != schema::PROTOCOL_VERSION) {
                return Result<LinkPtr>(fail(
                    Errc::version_mismatch,
                    link->endpoint + " speaks protocol " + std::to_string(answer.getProtocol()) +
                        ", this client " + std::to_string(schema::PROTOCOL_VERSION)));
            }
            return log_in(link, gate);
        });
    auto late = sleep_until(until).then([endpoint] {
        return Result<LinkPtr>(
            fail(Errc::unreachable, endpoint + ": connected, but the host says nothing"));
    });
    return greeted.exclusiveJoin(kj::mv(late)).catch_([endpoint](kj::Exception&& e) {
        return Result<LinkPtr>(fail(Errc::unreachable, rpc_error(e, endpoint).what));
    });
}

kj::Promise<Result<LinkPtr>> Connections::log_in(LinkPtr link, schema::Gate::Client gate) {
    auto login = gate.loginRequest();
    login.setToken(options_.token.c_str());
    return login.send().then(
        [this, link](capnp::Response<schema::HostResult> answer) -> Result<LinkPtr> {
            if (answer.isFailed()) return decode(answer.getFailed());
            link->host = answer.getHost();
            links_[link->endpoint] = link;
            keep(learn_hosts(link));
            return link;
        });
}

kj::Promise<void> Connections::learn_hosts(LinkPtr link) {
    return link->host.hostsRequest().send().then(
        [this](capnp::Response<schema::Host::HostsResults> answer) {
            for (auto host : answer.getHosts()) {
                if (host.getClientAddress().size() > 0)
                    hosts_[host.getName().cStr()] = host.getClientAddress().cStr();
            }
        });
}

kj::Promise<Result<GroupCap>> Connections::group(LinkPtr link, std::string name, Time deadline) {
    using Opened = Result<GroupCap>;
    if (auto found = link->groups.find(name); found != link->groups.end())
        return Opened(found->second);
    auto request = link->host.groupRequest();
    request.setName(name.c_str());
    request.setTimeoutMs(milliseconds_left(deadline, now()));
    return request.send().then([link, name](capnp::Response<schema::GroupResult> answer) -> Opened {
        if (answer.isFailed()) return decode(answer.getFailed());
        auto group = std::make_shared<schema::Group::Client>(answer.getGroup());
        link->groups.insert_or_assign(name, group);
        return group;
    });
}

}  // namespace quorate::client
