#pragma once

#include "tests/sim/sim_host.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorate::sim {

struct RunResult {
    std::string breach;  // empty: all went well
    std::uint64_t digest = 0;
    std::uint64_t events = 0;
    Duration simulated{};
    Witness::Reach reach;
    std::uint64_t crashes = 0;
    std::uint64_t partitions = 0;
    std::string picture;  // of a breach: what each host says of its members
};

// Runs one seed's world: hosts come up, groups are made, clients work while faults happen; then
// everything is healed, and all must become available and equal again. Stops at the first breach.
RunResult run_world(const Settings& settings);

}  // namespace quorate::sim
