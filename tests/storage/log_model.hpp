#pragma once

#include "tests/storage/stepped_fixture.hpp"

#include <map>
#include <random>
#include <string>
#include <vector>

namespace quorate::storage {

// A group's log as it must be, kept the simplest way: every state that it went through.
struct LogState {
    raft::HardState hard;
    std::uint64_t base = 0;  // as of a reset; releases are kept apart
    std::uint64_t last = 0;
    std::map<std::uint64_t, std::string> entries;  // "<term>:<payload>"
};

// Random stores of a few groups, and what may be found of them after a crash: for each group
// the state after its last reported store, or after a later one.
class LogModel {
 public:
    LogModel(SteppedUnderTest& host, std::uint64_t seed, std::uint64_t groups);

    // Some calls, of any group. Nothing is driven.
    void act();
    // Compares what was recovered. Pre: reopened, nothing driven since.
    void check_recovered(const std::vector<RecoveredLog>& logs);
    // After check_recovered: the clients of the next life.
    void attach_all();
    std::uint64_t stores() const { return stores_; }

 private:
    struct Life {
        TestClient client;
        std::vector<LogState> states{LogState()};  // after ticket i; the first of this life
        std::uint64_t released = 0;
        bool created = false;
        bool create_reported = false;
    };

    raft::Store random_store(LogState& state);
    void check(GroupId id, Life& life, const RecoveredLog& found);
    bool matches(GroupId id, const LogState& state, const RecoveredLog& found);
    std::uint64_t roll(std::uint64_t below) { return random_() % below; }

    SteppedUnderTest& host_;
    std::mt19937_64 random_;
    std::map<GroupId, std::unique_ptr<Life>> lives_;
    std::uint64_t stores_ = 0;
    std::uint64_t payload_ = 0;
};

}  // namespace quorate::storage
