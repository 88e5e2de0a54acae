#pragma once

#include "tests/bench/allocations.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <ctime>

namespace quorate::bench {

// What a stage costs each command of a batch of state.range(0): processor time of this thread, payload
// that went through, allocations.
class PerCommand {
 public:
    PerCommand(benchmark::State& state, std::size_t payload)
        : state_(state), payload_(payload), allocations_(allocations()), seconds_(processor()) {}
    ~PerCommand() {
        double commands =
            static_cast<double>(state_.iterations()) * static_cast<double>(state_.range(0));
        auto made = static_cast<double>(allocations() - allocations_);
        state_.counters["ns/command"] = (processor() - seconds_) * 1e9 / commands;
        state_.counters["allocations/command"] = made / commands;
        state_.SetBytesProcessed(
            static_cast<std::int64_t>(commands * static_cast<double>(payload_)));
    }
    PerCommand(const PerCommand&) = delete;

 private:
    static double processor() {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
    }

    benchmark::State& state_;
    const std::size_t payload_;
    const std::uint64_t allocations_;
    const double seconds_;
};

}  // namespace quorate::bench
