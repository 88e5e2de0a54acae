#pragma once

#include "host/base/time.hpp"
#include "host/group/group.hpp"
#include "storage/log_engine.hpp"

#include <cstdint>
#include <random>
#include <string>

namespace quorate::sim {

using Random = std::mt19937_64;

inline bool chance(Random& random, double probability) {
    return static_cast<double>(random() >> 11) * 0x1p-53 < probability;
}
// In [low, high].
inline std::uint64_t between(Random& random, std::uint64_t low, std::uint64_t high) {
    return low + random() % (high - low + 1);
}
inline Duration between(Random& random, Duration low, Duration high) {
    return Duration(
        static_cast<Duration::rep>(between(random, static_cast<std::uint64_t>(low.count()),
                                           static_cast<std::uint64_t>(high.count()))));
}

// What one seed's world is like: drawn once, so that one world loses messages and another never
// does, one is all partitions and another all crashes (swarm testing; reliability.md §0.5, §7.1).
struct Settings {
    std::uint64_t seed = 0;
    bool verbose = false;   // prints the hosts' log, with simulated times
    bool stormy = false;    // hardly a leader lasts
    Duration length = 30s;  // of the phase with faults

    std::size_t hosts = 3;
    std::size_t groups = 1;
    std::size_t first_members = 3;  // of each group
    std::size_t clients = 4;
    std::size_t keys = 8;
    Duration think = 20ms;  // of a client between operations, at most
    Duration client_timeout = 2s;
    Duration busy_for = 3s;  // clients work so long, and then most rest
    Duration rest_for{};

    // network
    Duration delay_low = 100us;
    Duration delay_high = 2ms;
    double loss = 0;
    double duplicate = 0;
    double clog = 0;          // per message: the link is held up ...
    Duration clog_high = 3s;  // ... for up to this
    // faults per simulated second, on average
    double partitions = 0;
    double one_way_cuts = 0;
    double crashes = 0;
    double crashes_after_send = 0;  // probability per message sent
    double crashes_in_disk = 0;     // of crashes: in the midst of a disk operation
    double power_cuts = 0.5;        // of crashes: what was not synced is lost, in part
    Duration away_high = 4s;        // until a host that died is started again
    double membership_changes = 0;
    double impatient = 0;             // of changes: begun beside another
    Duration operation_timeout = 5s;  // of the operator's
    double transfers = 0;
    double stops = 0;  // of a member, or it is started again
    double snapshots = 0;
    double harass = 0;            // probability that a new leader meets trouble at once
    Duration fault_step = 100ms;  // the grain of all these

    // disks
    Duration sync_low = 100us;
    Duration sync_high = 3ms;
    double stall = 0;  // per batch: the disk is silent for up to 1 s

    group::GroupOptions group;
    storage::LogOptions log;

    static Settings draw(std::uint64_t seed);
    // A world of storms: terms of a few round trips, messages of one entry, disks as slow as the
    // network, trouble for every new leader. Here Figures 3.7 and 4.7 of the dissertation happen.
    static Settings draw_stormy(std::uint64_t seed);
    // Gentle enough for groups to be formed, or to heal, within the times that are checked.
    void calm();
    std::string text() const;
};

}  // namespace quorate::sim
