#pragma once

#include "host/group/transport.hpp"
#include "tests/sim/raft_witness.hpp"
#include "tests/sim/sim_loop.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace quorate::sim {

// The network between the simulated hosts: loses, repeats, delays, reorders and cuts, one way or
// both. What is on its way to a host that dies is lost with that life.
class SimNetwork {
 public:
    SimNetwork(SimLoop& loop, const Settings& settings, RaftWitness& witness, std::uint64_t seed)
        : loop_(loop), settings_(settings), witness_(witness), random_(seed) {}

    void add(const std::string& host) { nodes_[host]; }
    void up(const std::string& host, Owner owner, group::PeerReceiver& receiver);
    void down(const std::string& host);
    void send(const std::string& from, const std::string& to, group::PeerMessage message);

    void cut(const std::string& from, const std::string& to);
    void mend_cuts() { cuts_.clear(); }
    // It loses, repeats and clogs from here on; before, it does not.
    void begin_faults() { healed_ = false; }
    // No cuts, no loss, no clogs from here on.
    void heal();
    std::vector<group::KnownHost> hosts_seen_by(const std::string& host) const;
    // Called after each message that left a host.
    void on_sent(std::function<void(const std::string&, const group::PeerMessage&)> action) {
        on_sent_ = std::move(action);
    }
    std::uint64_t delivered() const { return delivered_; }

 private:
    struct Node {
        Owner owner = 0;  // 0: down
        group::PeerReceiver* receiver = nullptr;
    };
    using Way = std::pair<std::string, std::string>;

    bool is_cut(const std::string& from, const std::string& to) const {
        return cuts_.contains({from, to});
    }
    void deliver(const std::string& from, const std::string& to, const group::PeerMessage& message);
    void tell(const std::string& about, bool up);
    Duration delay(const Way& way);

    SimLoop& loop_;
    const Settings& settings_;
    RaftWitness& witness_;
    Random random_;
    std::map<std::string, Node> nodes_;
    std::set<Way> cuts_;
    std::map<Way, Time> clogged_until_;
    bool healed_ = true;
    std::uint64_t delivered_ = 0;
    std::function<void(const std::string&, const group::PeerMessage&)> on_sent_;
};

// One host's end of it, during one life. Thread: the simulation's.
class SimTransport final : public group::Transport, public group::HostDirectory {
 public:
    SimTransport(SimNetwork& network, std::string host)
        : network_(network), host_(std::move(host)) {}
    void send(const group::HostName& to, group::PeerMessage message) override {
        network_.send(host_, to, std::move(message));
    }
    std::vector<group::KnownHost> hosts() const override { return network_.hosts_seen_by(host_); }

 private:
    SimNetwork& network_;
    std::string host_;
};

}  // namespace quorate::sim
