#pragma once

#include "host/base/result.hpp"
#include "plugins/bench/protocol.hpp"
#include "rpc/bench/workload.hpp"
#include "rpc/client/client.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorate::bench {

// What became of one writer's commands: what the machines must hold at the end.
struct Written {
    std::string group;
    std::uint32_t writer = 0;
    Account acknowledged;
    std::uint64_t unknown = 0;  // each may have been applied, or not
};

struct Run {
    Figures figures;
    std::vector<Written> written;
};

// Puts a workload on a cluster and waits until every operation has ended. `warmed_up` and `over` are
// called on the caller's thread where the counted part begins and ends. Thread: any but a client's.
Result<Run> run(const Workload& workload, const client::ClientOptions& connection,
                const std::function<void()>& warmed_up, const std::function<void()>& over);

}  // namespace quorate::bench
