#pragma once

#include "host/base/time.hpp"
#include "rpc/bench/histogram.hpp"
#include "rpc/client/types.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

// What `quorate bench` asks of a cluster, and what came of it.
namespace quorate::bench {

struct Workload {
    double reads = 0;  // share of queries among the operations, 0 to 1; the rest are commands
    client::ReadLevel level = client::ReadLevel::linearizable;  // of the queries
    std::uint32_t clients = 1;                                  // each with connections of its own
    std::uint32_t threads = 1;  // that the clients share: at most one per client is used
    Duration busy_poll{};       // of each of these threads
    std::uint32_t window = 1;   // operations that each client has unanswered at most
    std::size_t payload = 256;  // bytes of a command, at least command_bytes_min
    std::vector<std::string> groups;
    // Operations a second over all clients, begun at even times whatever the answers do; latency counts
    // from when one was to begin, so that a stall is not hidden by the operations that it delays. 0: each
    // answer begins the next operation.
    double rate = 0;
    Duration warm_up = Duration(std::chrono::seconds(1));   // not counted
    Duration length = Duration(std::chrono::seconds(5));    // counted
    Duration timeout = Duration(std::chrono::seconds(10));  // of each operation
};

// Of the operations that ended after the warm-up and before the end.
struct Figures {
    Histogram latency;
    double seconds = 0;
    std::uint64_t refused = 0;  // over the whole run, as the next two
    std::uint64_t unknown = 0;
    // With a rate: due before the end, and the window was full until then. None of the figures knows of them.
    std::uint64_t not_begun = 0;
    std::map<std::string, std::uint64_t> errors;  // what was said, how often

    double operations_a_second() const {
        return seconds > 0 ? static_cast<double>(latency.count()) / seconds : 0;
    }
};

}  // namespace quorate::bench
