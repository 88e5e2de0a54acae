#include "host/raft/mutants.hpp"

#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

namespace quorate::sim {
namespace {

// Bugs that others shipped, planted in the core one at a time: each must be caught within so many
// seeds. What the simulator would not notice here it would not notice in a change either.
constexpr std::uint64_t seeds = 1500;

class Planted : public testing::TestWithParam<raft::Mutant> {
 protected:
    ~Planted() override { raft::plant(raft::Mutant::none); }
};

TEST_P(Planted, bug_is_caught) {
    raft::plant(GetParam());
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        RunResult result = run_world(Settings::draw(seed));
        if (result.breach.empty()) continue;
        std::cout << raft::name_of(GetParam()) << ": seed " << seed << ": " << result.breach
                  << "\n";
        return;
    }
    FAIL() << raft::name_of(GetParam()) << " was not caught in " << seeds << " seeds";
}

std::vector<raft::Mutant> all_mutants() {
    std::vector<raft::Mutant> all;
    for (int i = 1; i <= static_cast<int>(raft::Mutant::last_); ++i)
        all.push_back(static_cast<raft::Mutant>(i));
    return all;
}

INSTANTIATE_TEST_SUITE_P(Mutants, Planted, testing::ValuesIn(all_mutants()),
                         [](const auto& each) { return std::string(raft::name_of(each.param)); });

}  // namespace
}  // namespace quorate::sim
