#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

namespace quorate::sim {
namespace {

// The seeds of the fast test: fixed, so that it fails only for a reason. `./dev sim` runs new ones.
constexpr std::uint64_t first_seed = 1;
constexpr std::uint64_t seeds_per_case = 25;

class Simulation : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Simulation, keeps_every_invariant_and_heals) {
    Witness::Reach reach;
    for (std::uint64_t i = 0; i < seeds_per_case; ++i) {
        std::uint64_t seed = first_seed + GetParam() * seeds_per_case + i;
        RunResult result = run_world(Settings::draw(seed));
        ASSERT_EQ(result.breach, "") << "again: ./dev sim --seed " << seed;
        reach.terms += result.reach.terms;
        reach.acknowledged += result.reach.acknowledged;
        reach.reads += result.reach.reads;
        reach.snapshots_loaded += result.reach.snapshots_loaded;
        reach.memberships += result.reach.memberships;
        reach.overwritten += result.reach.overwritten;
    }
    // A run that reaches nothing proves nothing.
    EXPECT_GT(reach.terms, seeds_per_case);
    EXPECT_GT(reach.acknowledged, 100u);
    EXPECT_GT(reach.reads, 100u);
    EXPECT_GT(reach.snapshots_loaded, 0u);
    EXPECT_GT(reach.memberships, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, testing::Range<std::uint64_t>(0, 8));

TEST(SimulationReplay, the_same_seed_gives_the_same_run) {
    for (std::uint64_t seed : {3u, 11u, 19u}) {
        RunResult first = run_world(Settings::draw(seed));
        RunResult second = run_world(Settings::draw(seed));
        EXPECT_EQ(first.digest, second.digest) << "seed " << seed;
        EXPECT_EQ(first.events, second.events) << "seed " << seed;
    }
}

}  // namespace
}  // namespace quorate::sim
