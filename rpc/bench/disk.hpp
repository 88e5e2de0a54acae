#pragma once

#include "host/base/result.hpp"
#include "host/base/time.hpp"
#include "rpc/bench/histogram.hpp"

#include <cstdint>
#include <string>

// What the device under a directory can do at all: one writer that appends and syncs, as a log does.
namespace quorate::bench {

struct DiskTest {
    std::string directory;
    std::size_t batch_bytes = 256;  // appended by one write, then synced
    bool prewritten = true;         // over a file of zeros, as our log; else the file grows
    Duration length = Duration(std::chrono::seconds(2));
};

struct DiskFigures {
    Histogram latency;  // of one append and sync
    double seconds = 0;
};

// Errc::io names the file, which is removed in any case.
Result<DiskFigures> test_disk(const DiskTest& test);

}  // namespace quorate::bench
