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
    std::uint64_t crashes = 0, partitions = 0;
    for (std::uint64_t i = 0; i < seeds_per_case; ++i) {
        std::uint64_t seed = first_seed + GetParam() * seeds_per_case + i;
        RunResult result = run_world(Settings::draw(seed));
        ASSERT_EQ(result.breach, "") << "again: ./dev sim --seed " << seed;
        reach.add(result.reach);
        crashes += result.crashes;
        partitions += result.partitions;
    }
    // A run that reaches nothing proves nothing.
    EXPECT_GT(reach.terms, 100u);
    EXPECT_GT(reach.acknowledged, 1000u);
    EXPECT_GT(reach.reads, 1000u);
    EXPECT_GT(reach.unknown, 10u);
    EXPECT_GT(reach.snapshots_loaded, 10u);
    EXPECT_GT(reach.memberships, 10u);
    EXPECT_GT(reach.overwritten, 0u);
    EXPECT_GT(reach.outcomes_compared, 100u);
    EXPECT_GT(reach.fell_asleep, 100u);
    EXPECT_GT(reach.woken, 50u);
    EXPECT_GT(reach.silent_nights, 5u);
    EXPECT_GT(reach.leaders_missed, 0u);
    EXPECT_GT(crashes, 50u);
    EXPECT_GT(partitions, 50u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, testing::Range<std::uint64_t>(0, 8));

// The digest is over the time of every event and what every message says.
TEST(SimulationReplay, the_same_seed_gives_the_same_run) {
    for (std::uint64_t seed : {3u, 11u, 19u}) {
        for (bool stormy : {false, true}) {
            Settings settings = stormy ? Settings::draw_stormy(seed) : Settings::draw(seed);
            settings.length = std::min<Duration>(settings.length, 10s);
            RunResult first = run_world(settings);
            RunResult second = run_world(settings);
            EXPECT_EQ(first.digest, second.digest) << settings.text() << " seed " << seed;
            EXPECT_EQ(first.events, second.events) << settings.text() << " seed " << seed;
        }
    }
    EXPECT_NE(run_world(Settings::draw_stormy(1)).digest,
              run_world(Settings::draw_stormy(2)).digest);
}

}  // namespace
}  // namespace quorate::sim
