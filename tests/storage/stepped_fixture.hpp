#pragma once

#include "storage/settled_memory.hpp"
#include "tests/storage/log_store_fixture.hpp"
#include "tests/support/sim_files.hpp"

namespace quorate::storage {

// The log engine without threads, on a simulated disk.
class SteppedUnderTest final : public LogStoreUnderTest {
 public:
    explicit SteppedUnderTest(LogOptions options = small_files(), std::uint64_t seed = 1)
        : disk(seed), options_(std::move(options)) {
        open();
    }

    LogStore& store() override { return *stepped; }
    void reopen() override {
        stepped.reset();
        open();
    }
    bool drive() override {
        if (!std::exchange(wanted_, false)) return false;
        now += 1ms;
        stepped->step(now);
        return true;
    }
    void drive_all() {
        while (drive()) executor.run_ready();
        executor.run_ready();
    }
    // The end of the process, with what a power cut makes of the disk, or as it is.
    void crash() {
        std::mt19937_64 random(++crashes_);
        disk.crash(random);
        stepped.reset();
        disk.restart();
    }
    void kill() {
        disk.kill();
        stepped.reset();
        disk.restart();
    }
    // Orderly end.
    void close() {
        drive_all();
        stepped->close();
        stepped.reset();
    }
    void open() {
        failures.clear();
        auto opened = try_open();
        ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
    }
    Result<void> try_open() {
        wanted_ = false;
        TRY(stepped, SteppedLogStore::open(
                         {.log = options_,
                          .on_work = [this] { wanted_ = true; },
                          .on_failure = [this](const Error& error) { failures.push_back(error); }},
                         disk, home));
        return {};
    }

    sim::SimFiles disk;
    MemorySettledHome home;
    std::unique_ptr<SteppedLogStore> stepped;
    std::vector<Error> failures;
    Time now{};

 private:
    LogOptions options_;
    bool wanted_ = false;
    std::uint64_t crashes_ = 0;
};

}  // namespace quorate::storage
