#include "rpc/peers.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "rpc/peer_inbound.hpp"
#include "rpc/peer_link.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

namespace quorate::rpc {

using group::HostName;
using group::KnownHost;

namespace {

// "quorate 0.1.0" -> "0.1.0"
std::string release_of(const std::string& software) {
    std::size_t space = software.rfind(' ');
    return space == std::string::npos ? software : software.substr(space + 1);
}

}  // namespace

class Peers::Impl final : public LinkOwner, public InboundOwner {
 public:
    Impl(loop::EventLoop& loop, PeersOptions options)
        : loop_(loop), options_(std::move(options)), alive_(std::make_shared<Impl*>(this)) {
        self_.name = options_.name;
        self_.connected = true;
        publish();
    }

    Result<void> listen();
    void start(group::PeerReceiver& receiver, std::string client_address);
    void send(const HostName& to, group::PeerMessage message);
    void meet(const std::vector<KnownHost>& hosts);
    void hurry(const HostName& host);
    void partition(const std::vector<HostName>& from);
    std::uint64_t dropped() const;

    const std::string& address() const { return self_.peer_address; }
    std::vector<KnownHost> hosts() const { return published_.load()->hosts; }
    std::vector<std::string> unmet_seeds() const { return published_.load()->unmet_seeds; }
    std::function<void(const std::vector<KnownHost>&)> on_new_hosts;
    std::function<void(const HostName&)> on_dialled;

 private:
    // ---- links
    Hello hello() const override;
    Result<void> accept_welcome(PeerLink& link, const Hello& theirs) override;
    void link_up(PeerLink& link) override;
    void link_down(PeerLink& link) override;
    void heard_of(const std::vector<KnownHost>& hosts) override { meet(hosts); }
    void settle_seed(PeerLink& seed, const HostName& name);
    void retire(PeerLink& seed);

    // ---- inbound
    void accepted(std::unique_ptr<loop::Connection> connection);
    Result<Hello> accept_hello(PeerInbound& inbound, const Hello& theirs) override;
    void received(const HostName& from, std::vector<group::PeerMessage> messages) override;
    void inbound_ended(PeerInbound& inbound) override;
    Result<void> check_cluster(const Hello& theirs) const;
    Result<void> check_only_one(const Hello& theirs) const;

    // ---- who is known
    void learn_directly(const Hello& theirs);
    bool add_known(const KnownHost& host);
    void hosts_changed();
    std::vector<std::string> find_unmet_seeds() const;
    void publish();
    bool is_cut_off(const HostName& host) const { return cut_off_.contains(host); }
    void later(void (Impl::*what)());
    void bury() { graveyard_links_.clear(), graveyard_inbound_.clear(); }

    loop::EventLoop& loop_;
    PeersOptions options_;
    group::PeerReceiver* receiver_ = nullptr;
    std::unique_ptr<loop::Listener> listener_;
    KnownHost self_;

    std::map<HostName, KnownHost> known_;
    std::map<HostName, std::unique_ptr<PeerLink>> links_;
    std::vector<std::unique_ptr<PeerLink>> seeds_;  // whose host has not answered yet
    std::vector<std::unique_ptr<PeerInbound>> inbound_;
    std::vector<std::unique_ptr<PeerLink>> graveyard_links_;  // ended in one of their own calls
    std::vector<std::unique_ptr<PeerInbound>> graveyard_inbound_;
    std::set<HostName> cut_off_;
    std::uint64_t dropped_ = 0;  // for hosts without a link
    bool telling_ = false;       // news are on their way

    struct Published {
        std::vector<KnownHost> hosts;
        std::vector<std::string> unmet_seeds;
    };
    std::atomic<std::shared_ptr<const Published>> published_;
    std::shared_ptr<Impl*> alive_;
};

// ---- beginning --------------------------------------------------------------------------------

Result<void> Peers::Impl::listen() {
    self_.peer_address = options_.advertise;
    if (options_.listen.empty()) return {};
    TRY(loop::Endpoint endpoint, loop::parse_endpoint(options_.listen));
    bool everywhere = endpoint.host == "0.0.0.0" || endpoint.host == "::";
    if (everywhere && options_.advertise.empty()) {
        return fail(Errc::address_invalid,
                    "peers are taken on every address (" + options_.listen +
                        "), so this host cannot know how others reach it",
                    "set the peer address to advertise, as host:port");
    }
    TRY(listener_, loop::Listener::open(loop_, options_.listen, [this](auto connection) {
            accepted(std::move(connection));
        }));
    if (options_.advertise.empty()) self_.peer_address = to_string(listener_->local());
    publish();
    return {};
}

void Peers::Impl::start(group::PeerReceiver& receiver, std::string client_address) {
    CHECK(receiver_ == nullptr, "started once");
    receiver_ = &receiver;
    self_.client_address = std::move(client_address);
    publish();
    for (const std::string& seed : options_.seeds) {
        if (seed == self_.peer_address) continue;
        seeds_.push_back(std::make_unique<PeerLink>(loop_, options_, *this, seed, HostName()));
    }
    meet(options_.known);
    publish();
}

// ---- who is known -----------------------------------------------------------------------------

void Peers::Impl::meet(const std::vector<KnownHost>& hosts) {
    bool news = false;
    // What others tell of a host is not better than what is known: only its own hello is.
    for (const KnownHost& host : hosts) {
        if (host.name != self_.name && !known_.contains(host.name)) news |= add_known(host);
    }
    if (news) hosts_changed();
}

bool Peers::Impl::add_known(const KnownHost& host) {
    if (host.peer_address.empty()) return false;
    if (known_.size() >= options_.max_known_hosts) {
        log::error("too_many_hosts", "a further host was not remembered",
                   {{"peer", host.name}, {"limit", std::uint64_t{options_.max_known_hosts}}});
        return false;
    }
    KnownHost& added = known_[host.name] = host;
    added.connected = false;
    auto link = std::make_unique<PeerLink>(loop_, options_, *this, host.peer_address, host.name);
    if (is_cut_off(host.name)) link->suspend();
    links_[host.name] = std::move(link);
    return true;
}

void Peers::Impl::learn_directly(const Hello& theirs) {
    KnownHost now = theirs.self;
    now.version = release_of(theirs.software);
    auto found = known_.find(now.name);
    if (found == known_.end()) {
        if (add_known(now)) hosts_changed();
        return;
    }
    KnownHost& known = found->second;
    bool moved = !now.peer_address.empty() && known.peer_address != now.peer_address;
    bool same = known.client_address == now.client_address && known.version == now.version;
    if (!moved && same) return;
    known.version = now.version;
    if (moved) known.peer_address = now.peer_address;
    known.client_address = now.client_address;
    if (moved) links_.at(now.name)->set_address(now.peer_address);
    hosts_changed();
}

void Peers::Impl::hosts_changed() {
    publish();
    if (std::exchange(telling_, true)) return;
    loop_.post([weak = std::weak_ptr<Impl*>(alive_)] {
        auto alive = weak.lock();
        if (!alive) return;
        Impl& impl = **alive;
        impl.telling_ = false;
        Hosts news{impl.hello().hosts};
        for (auto& [name, link] : impl.links_) link->tell(news);
        if (impl.on_new_hosts) impl.on_new_hosts(impl.hosts());
    });
}

void Peers::Impl::publish() {
    auto all = std::make_shared<Published>();
    all->hosts.push_back(self_);
    for (const auto& [name, host] : known_) all->hosts.push_back(host);
    all->unmet_seeds = find_unmet_seeds();
    published_.store(std::move(all));
}

std::vector<std::string> Peers::Impl::find_unmet_seeds() const {
    std::vector<std::string> unmet;
    for (const auto& seed : seeds_) {
        bool is_known = std::ranges::any_of(known_, [&seed](const auto& known) {
            return known.second.peer_address == seed->address();
        });
        if (!is_known) unmet.push_back(seed->address());
    }
    auto may_be_a_seed = [this](const auto& known) {
        const KnownHost& host = known.second;
        return !host.connected &&
               std::ranges::find(options_.seeds, host.peer_address) == options_.seeds.end();
    };
    auto likely_met = static_cast<std::size_t>(std::ranges::count_if(known_, may_be_a_seed));
    unmet.resize(unmet.size() - std::min(unmet.size(), likely_met));
    return unmet;
}

Hello Peers::Impl::hello() const {
    Hello out{.protocol = protocol_best,
              .protocol_oldest = protocol_oldest,
              .software = options_.software,
              .cluster = options_.cluster,
              .incarnation = options_.incarnation,
              .self = self_,
              .lane = options_.lane};
    for (const auto& [name, host] : known_) out.hosts.push_back(host);
    return out;
}

Result<void> Peers::Impl::check_cluster(const Hello& theirs) const {
    if (theirs.cluster == options_.cluster) return {};
    return fail(Errc::cluster_mismatch, "host " + theirs.self.name + " belongs to cluster '" +
                                            theirs.cluster + "', this host (" + self_.name +
                                            ") to '" + options_.cluster + "'");
}

// A host's name stands for one data directory. Two processes that use it at once would be one voter
// that votes twice.
Result<void> Peers::Impl::check_only_one(const Hello& theirs) const {
    bool taken = theirs.self.name == self_.name && theirs.incarnation != options_.incarnation;
    for (const auto& one : inbound_) {
        taken |= !one->is_ended() && one->host() == theirs.self.name &&
                 one->incarnation() != theirs.incarnation;
    }
    auto link = links_.find(theirs.self.name);
    taken |= link != links_.end() && link->second->is_up() &&
             link->second->incarnation() != theirs.incarnation;
    if (!taken) return {};
    return fail(Errc::identity_mismatch,
                "another process is connected as host " + theirs.self.name + "; only one may be");
}

// ---- links ------------------------------------------------------------------------------------

Result<void> Peers::Impl::accept_welcome(PeerLink& link, const Hello& theirs) {
    TRY_VOID(check_cluster(theirs));
    const HostName& name = theirs.self.name;
    if (theirs.incarnation == options_.incarnation && name == self_.name) {
        retire(link);
        return fail(Errc::unreachable, "this host itself");
    }
    if (!link.host().empty() && link.host() != name) {
        return fail(Errc::identity_mismatch,
                    "host " + name + " answers where " + link.host() + " is expected");
    }
    TRY_VOID(check_only_one(theirs));
    if (is_cut_off(name)) return fail(Errc::unreachable, "partitioned on request");
    if (link.host().empty()) {
        settle_seed(link, name);
        if (link.host().empty()) return fail(Errc::unreachable, "dialled by its name already");
    }
    learn_directly(theirs);
    return {};
}

// A seed has answered: from here on it is the link of the host that it is, unless there is one.
void Peers::Impl::settle_seed(PeerLink& seed, const HostName& name) {
    auto found = links_.find(name);
    if (found != links_.end()) {
        // Known by an address at which it does not answer, perhaps; at this one it does.
        if (!found->second->is_up()) found->second->set_address(seed.address());
        return retire(seed);
    }
    auto mine = std::ranges::find(seeds_, &seed, &std::unique_ptr<PeerLink>::get);
    seed.set_host(name);
    links_[name] = std::move(*mine);
    seeds_.erase(mine);
    known_[name] = {.name = name, .peer_address = seed.address()};
    hosts_changed();
}

void Peers::Impl::retire(PeerLink& seed) {
    auto mine = std::ranges::find(seeds_, &seed, &std::unique_ptr<PeerLink>::get);
    if (mine == seeds_.end()) return;
    seed.suspend();  // it is in the middle of a call, and must not dial again
    graveyard_links_.push_back(std::move(*mine));
    seeds_.erase(mine);
    publish();
    later(&Impl::bury);
}

void Peers::Impl::later(void (Impl::*what)()) {
    loop_.post([weak = std::weak_ptr<Impl*>(alive_), what] {
        if (auto alive = weak.lock()) ((**alive).*what)();
    });
}

void Peers::Impl::link_up(PeerLink& link) {
    known_.at(link.host()).connected = true;
    publish();
    receiver_->connected(link.host());
}

void Peers::Impl::link_down(PeerLink& link) {
    known_.at(link.host()).connected = false;
    publish();
    receiver_->disconnected(link.host());
}

void Peers::Impl::send(const HostName& to, group::PeerMessage message) {
    auto found = links_.find(to);
    if (found == links_.end()) {
        ++dropped_;
    } else {
        found->second->send(std::move(message));
    }
}

std::uint64_t Peers::Impl::dropped() const {
    std::uint64_t sum = dropped_;
    for (const auto& [name, link] : links_) sum += link->dropped();
    return sum;
}

// ---- inbound ----------------------------------------------------------------------------------

void Peers::Impl::accepted(std::unique_ptr<loop::Connection> connection) {
    if (receiver_ == nullptr || inbound_.size() >= options_.max_inbound) return;
    inbound_.push_back(
        std::make_unique<PeerInbound>(loop_, options_, *this, std::move(connection)));
}

Result<Hello> Peers::Impl::accept_hello(PeerInbound& inbound, const Hello& theirs) {
    TRY_VOID(check_cluster(theirs));
    // Its own seeds may name a host itself: it is told so by its own incarnation in the answer.
    if (theirs.self.name == self_.name && theirs.incarnation == options_.incarnation)
        return hello();
    if (is_cut_off(theirs.self.name)) {
        inbound.end();
        return fail(Errc::unreachable, "partitioned on request");
    }
    TRY_VOID(check_only_one(theirs));
    // Another connection of the same process may be open: it dialled twice, by a seed and by name, and
    // closes the one it does not need. Closing one here could close the one it keeps.
    learn_directly(theirs);
    meet(theirs.hosts);
    hurry(theirs.self.name);
    if (on_dialled) on_dialled(theirs.self.name);
    return hello();
}

void Peers::Impl::hurry(const HostName& host) {
    auto link = links_.find(host);
    if (link != links_.end()) link->second->hurry();
}

void Peers::Impl::received(const HostName& from, std::vector<group::PeerMessage> messages) {
    for (group::PeerMessage& message : messages) receiver_->receive(from, std::move(message));
}

void Peers::Impl::inbound_ended(PeerInbound& inbound) {
    auto mine = std::ranges::find(inbound_, &inbound, &std::unique_ptr<PeerInbound>::get);
    if (mine == inbound_.end()) return;
    graveyard_inbound_.push_back(std::move(*mine));
    inbound_.erase(mine);
    later(&Impl::bury);
}

void Peers::Impl::partition(const std::vector<HostName>& from) {
    cut_off_ = std::set<HostName>(from.begin(), from.end());
    for (auto& [name, link] : links_) {
        if (is_cut_off(name)) {
            link->suspend();
        } else {
            link->resume();
        }
    }
    std::vector<PeerInbound*> to_end;
    for (const auto& one : inbound_) {
        if (is_cut_off(one->host())) to_end.push_back(one.get());
    }
    for (PeerInbound* one : to_end) one->end();
}

// ---- the handle -------------------------------------------------------------------------------

Result<std::unique_ptr<Peers>> Peers::open(loop::EventLoop& loop, PeersOptions options) {
    CHECK(options.incarnation != 0, "a run of the process has a number");
    auto impl = std::make_unique<Impl>(loop, std::move(options));
    TRY_VOID(impl->listen());
    return std::unique_ptr<Peers>(new Peers(std::move(impl)));
}

Peers::Peers(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Peers::~Peers() = default;
void Peers::start(group::PeerReceiver& receiver, std::string client_address) {
    impl_->start(receiver, std::move(client_address));
}
const std::string& Peers::address() const {
    return impl_->address();
}
void Peers::send(const HostName& to, group::PeerMessage message) {
    impl_->send(to, std::move(message));
}
std::vector<KnownHost> Peers::hosts() const {
    return impl_->hosts();
}
std::vector<std::string> Peers::unmet_seeds() const {
    return impl_->unmet_seeds();
}
void Peers::meet(const std::vector<KnownHost>& hosts) {
    impl_->meet(hosts);
}
void Peers::on_new_hosts(std::function<void(const std::vector<KnownHost>&)> action) {
    impl_->on_new_hosts = std::move(action);
}
void Peers::hurry(const HostName& host) {
    impl_->hurry(host);
}
void Peers::on_dialled(std::function<void(const HostName&)> action) {
    impl_->on_dialled = std::move(action);
}
void Peers::partition(const std::vector<HostName>& from) {
    impl_->partition(from);
}
std::uint64_t Peers::dropped_messages() const {
    return impl_->dropped();
}

}  // namespace quorate::rpc
