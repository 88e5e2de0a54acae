#include "tests/sim/sim_network.hpp"

#include <algorithm>

namespace quorate::sim {
namespace {

// What a message says, in short: runs that differ in it are not the same.
std::uint64_t fingerprint(const group::PeerMessage& message) {
    std::uint64_t print = message.index();
    auto* envelope = std::get_if<group::RaftEnvelope>(&message);
    if (envelope == nullptr) return print;
    print = print << 8 | envelope->message.index();
    print ^= envelope->from.value() * 3 ^ envelope->to.value() * 5;
    print ^= std::visit([](const auto& m) { return m.term.value(); }, envelope->message) << 16;
    if (auto* append = std::get_if<raft::AppendEntries>(&envelope->message))
        print ^= append->last.value() << 24 ^ append->commit.value() << 40;
    if (auto* reply = std::get_if<raft::AppendReply>(&envelope->message))
        print ^= reply->match.value() << 24 ^ reply->round << 40;
    return print;
}

}  // namespace

void SimNetwork::up(const std::string& host, Owner owner, group::PeerReceiver& receiver) {
    nodes_[host] = {owner, &receiver};
    tell(host, true);
}

void SimNetwork::down(const std::string& host) {
    nodes_[host] = {};
    tell(host, false);
}

// What connections tell: the others notice after a while, and a host that comes up meets the others.
void SimNetwork::tell(const std::string& about, bool up) {
    for (auto& [name, node] : nodes_) {
        if (name == about || node.owner == 0) continue;
        auto notice = [this, up](const std::string& who, const std::string& whom) {
            Node& to = nodes_[who];
            loop_.at(loop_.now() + between(random_, Duration(1ms), Duration(50ms)), to.owner,
                     [this, who, whom, up] {
                         group::PeerReceiver* receiver = nodes_[who].receiver;
                         if (receiver == nullptr) return;
                         up ? receiver->connected(whom) : receiver->disconnected(whom);
                     });
        };
        notice(name, about);
        if (up) notice(about, name);
    }
}

Duration SimNetwork::delay(const Way& way) {
    if (!healed_ && chance(random_, settings_.clog)) {
        clogged_until_[way] = loop_.now() + between(random_, Duration(100ms), settings_.clog_high);
    }
    Duration wait = between(random_, settings_.delay_low, settings_.delay_high);
    auto clogged = clogged_until_.find(way);
    if (healed_ || clogged == clogged_until_.end() || clogged->second <= loop_.now()) return wait;
    return clogged->second - loop_.now() + wait;
}

void SimNetwork::send(const std::string& from, const std::string& to, group::PeerMessage message) {
    loop_.mix(fingerprint(message));
    if (auto* envelope = std::get_if<group::RaftEnvelope>(&message)) witness_.sent(from, *envelope);
    if (nodes_[from].owner == 0) return;
    bool lost =
        is_cut(from, to) || nodes_[to].owner == 0 || (!healed_ && chance(random_, settings_.loss));
    if (!lost) deliver(from, to, message);
    if (!lost && !healed_ && chance(random_, settings_.duplicate)) deliver(from, to, message);
    if (on_sent_) on_sent_(from, message);
}

void SimNetwork::deliver(const std::string& from, const std::string& to,
                         const group::PeerMessage& message) {
    Time when = loop_.now() + delay({from, to});
    loop_.at(when, nodes_[to].owner, [this, from, to, message] {
        group::PeerReceiver* receiver = nodes_[to].receiver;
        if (receiver == nullptr || is_cut(from, to)) return;
        ++delivered_;
        receiver->receive(from, message);
    });
}

void SimNetwork::cut(const std::string& from, const std::string& to) {
    cuts_.insert({from, to});
}

void SimNetwork::heal() {
    cuts_.clear();
    clogged_until_.clear();
    healed_ = true;
}

std::vector<group::KnownHost> SimNetwork::hosts_seen_by(const std::string& host) const {
    std::vector<group::KnownHost> list;
    for (const auto& [name, node] : nodes_) {
        bool connected = name == host || (node.owner != 0 && !is_cut(host, name));
        list.push_back({name, name + ":1", name + ":2", connected});
    }
    return list;
}

}  // namespace quorate::sim
