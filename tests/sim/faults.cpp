#include "tests/sim/faults.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace quorate::sim {
namespace {

// What a message promises is most at risk right after it left: votes, then acknowledgements.
double risk(const group::PeerMessage& message) {
    auto* envelope = std::get_if<group::RaftEnvelope>(&message);
    if (envelope == nullptr) return 1;
    if (auto* vote = std::get_if<raft::VoteReply>(&envelope->message))
        return vote->granted && !vote->pre_vote ? 200 : 1;
    return std::holds_alternative<raft::AppendReply>(envelope->message) ? 3 : 1;
}

}  // namespace

bool Faults::now_and_then(double per_second) {
    std::chrono::duration<double> seconds = stage_.settings.fault_step;
    return chance(random_, per_second * seconds.count());
}

void Faults::step() {
    const Settings& s = stage_.settings;
    if (now_and_then(s.crashes)) crash_somehow(any_host());
    if (now_and_then(s.partitions)) cut_halves();
    if (now_and_then(s.one_way_cuts)) cut_one_way();
    if (now_and_then(s.partitions + s.one_way_cuts)) stage_.network.mend_cuts();
    if (now_and_then(s.membership_changes)) stage_.operators.change_membership();
    if (now_and_then(s.transfers)) stage_.operators.transfer();
    if (now_and_then(s.stops)) stage_.operators.stop_or_start();
    if (now_and_then(s.snapshots)) stage_.operators.take_snapshot();
    if (now_and_then(1)) stage_.operators.compare_outcomes();
}

void Faults::after_send(const std::string& from, const group::PeerMessage& message) {
    if (!active_ || !chance(random_, stage_.settings.crashes_after_send * risk(message))) return;
    if (SimHost* host = host_named(from)) doom(*host);
}

void Faults::while_writing(SimHost& host) {
    if (active_ && chance(random_, stage_.settings.crashes_after_send * 10)) doom(host);
}

void Faults::at_new_leader(const std::string& name) {
    if (!active_ || !chance(random_, stage_.settings.harass)) return;
    Duration soon = between(random_, Duration(0), 3 * stage_.settings.delay_high);
    stage_.loop.at(stage_.loop.now() + soon, 0, [this, name] {
        SimHost* host = host_named(name);
        if (!active_ || host == nullptr) return;
        if (chance(random_, 0.4)) {
            stage_.operators.change_membership();
        } else if (chance(random_, 0.4)) {
            crash_somehow(*host);
        } else {
            cut_halves();
        }
    });
}

void Faults::end() {
    active_ = false;
    ended_ = true;
    for (SimHost* host : std::exchange(failing_, {})) {
        if (host->alive()) crash(*host);
    }
}

void Faults::bury() {
    for (SimHost* host : std::exchange(doomed_, {})) {
        if (host->alive()) crash(*host);
    }
}

SimHost* Faults::host_named(const std::string& name) {
    auto found = std::ranges::find(stage_.hosts, name, [](auto& host) { return host->name(); });
    return found == stage_.hosts.end() ? nullptr : found->get();
}

void Faults::crash(SimHost& host) {
    ++crashes_;
    std::erase(failing_, &host);
    Owner life = host.life();
    host.crash(chance(random_, stage_.settings.power_cuts) ? SimHost::End::power_cut
                                                           : SimHost::End::killed);
    for (auto& client : stage_.clients) client->host_died(life);
    if (ended_) return;
    Duration away = chance(random_, 0.3) ? Duration(20ms) : stage_.settings.away_high;
    stage_.loop.at(stage_.loop.now() + between(random_, Duration(1ms), away), 0, [&host] {
        if (!host.alive()) host.start();
    });
}

void Faults::crash_somehow(SimHost& host) {
    if (!host.alive()) return;
    if (!chance(random_, stage_.settings.crashes_in_disk)) return doom(host);
    host.fail_disk_soon();
    // If no operation follows, or the failure hit what can be done without, it dies all the same.
    Owner life = host.life();
    failing_.push_back(&host);
    stage_.loop.at(stage_.loop.now() + 200ms, 0, [this, &host, life] {
        if (host.life() == life && active_) doom(host);
    });
}

// Some hosts on one side, the rest on the other.
void Faults::cut_halves() {
    ++partitions_;
    std::set<std::string> side;
    for (auto& host : stage_.hosts) {
        if (chance(random_, 0.5)) side.insert(host->name());
    }
    for (auto& a : stage_.hosts) {
        for (auto& b : stage_.hosts) {
            if (side.contains(a->name()) != side.contains(b->name()))
                stage_.network.cut(a->name(), b->name());
        }
    }
}

// One link, or all that one host hears, or all that it says.
void Faults::cut_one_way() {
    SimHost& one = any_host();
    bool all = chance(random_, 0.5), hears = chance(random_, 0.5);
    if (!all) return stage_.network.cut(one.name(), any_host().name());
    for (auto& other : stage_.hosts) {
        hears ? stage_.network.cut(other->name(), one.name())
              : stage_.network.cut(one.name(), other->name());
    }
}

}  // namespace quorate::sim
