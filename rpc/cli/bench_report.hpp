#pragma once

#include "rpc/bench/disk.hpp"
#include "rpc/bench/workload.hpp"
#include "rpc/cli/verb.hpp"

#include <optional>
#include <string>

namespace quorate::cli {

// One run of `quorate bench`, as it is printed.
struct BenchRun {
    bench::Workload workload;
    bench::Figures figures;
    std::size_t members = 0;
    std::uint64_t acknowledged = 0;  // commands, the warm-up's too
    // Of all hosts and this client; nothing where the hosts' processes are not ours to look at.
    std::optional<double> cpu_us_per_op;
    std::optional<double> hosts_rss_mb;
    std::string wrong;                // what verification found
    std::optional<Error> unverified;  // why it could not tell

    bool is_true() const { return wrong.empty() && !unverified; }
};

// "write", "read-local", "mixed-50-linearizable": the share of reads in percent.
std::string name_of(const bench::Workload& workload);

// One line: a table's for people, a JSON object for programs. `first`: headings before it. `distribution`:
// and the whole histogram.
void print_run(Format format, const BenchRun& run, bool first, bool distribution);
void print_disk(Format format, const bench::DiskTest& test, const bench::DiskFigures& figures,
                bool first);

}  // namespace quorate::cli
