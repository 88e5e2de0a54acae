#pragma once

#include "host/group/host_shard.hpp"

#include <string>
#include <vector>

namespace quorate::group {

// Every host of the cluster that this one has heard of, met or not: who must be asked before something
// can be said of all of them. Two majorities of one roll have a host in common.
struct RollCall {
    std::vector<HostName> hosts;           // this one included
    std::vector<std::string> unmet_seeds;  // addresses of hosts whose names are not known

    std::size_t size() const { return hosts.size() + unmet_seeds.size(); }
    std::size_t majority() const { return size() / 2 + 1; }
};
RollCall call_roll(HostShard& shard);

// "h2; h3: QR-2105 ...; 10.0.0.4:7700, which was never met": all on the roll but `heard`, with the
// errors that they answered.
std::string absent(const RollCall& roll, const std::vector<HostName>& heard,
                   const std::vector<HostAnswer>& answers);

}  // namespace quorate::group
