#include "host/raft/mutants.hpp"

#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <iterator>
#include <string>

namespace quorate::sim {
namespace {

using raft::Mutant;

// Bugs that others shipped, planted in the core one at a time, each to be caught in a world of
// storms; the same worlds must be sound without it. What the simulator would not notice here it
// would not notice in a change either. README.md says how many seeds each one takes.
constexpr std::uint64_t seeds = 300;

// In most worlds.
[[maybe_unused]] constexpr Mutant caught_at_once[] = {
    Mutant::vote_before_durable,      Mutant::ack_before_durable,
    Mutant::older_term_committed,     Mutant::duplicate_truncates,
    Mutant::read_before_term_commit,  Mutant::double_vote,
    Mutant::vote_ignores_log,         Mutant::minority_quorum,
    Mutant::truncation_keeps_durable, Mutant::earlier_round_answered,
    Mutant::asleep_ignores_lost_host,
};
// In one of five worlds, or one of fifty.
[[maybe_unused]] constexpr Mutant caught_in_time[] = {
    Mutant::stale_vote_counted,        Mutant::read_joins_old_round,
    Mutant::missing_prev_check,        Mutant::follower_commit_beyond_match,
    Mutant::change_before_term_commit, Mutant::concurrent_changes,
    Mutant::snapshot_moves_back,       Mutant::non_voter_counted,
};

// snapshot_drops_longer_log needs a follower that is ahead of a late snapshot without knowing it
// committed, and asleep_answers_reads a leader that sleeps through its deposition and is asked before its
// own host notices: raft_mutant_test catches them, no world of whole hosts was seen to.
static_assert(std::size(caught_at_once) + std::size(caught_in_time) + 2 ==
              static_cast<std::size_t>(Mutant::last_));

std::string breach_of(std::uint64_t seed, Mutant bug) {
    raft::plant(bug);
    RunResult result = run_world(Settings::draw_stormy(seed));
    raft::plant(Mutant::none);
    return result.breach;
}

class Planted : public testing::TestWithParam<Mutant> {};

TEST_P(Planted, bug_is_caught) {
    std::uint64_t seed = 1;
    std::string breach;
    while ((breach = breach_of(seed, GetParam())).empty() && seed < seeds) ++seed;
    ASSERT_NE(breach, "") << raft::name_of(GetParam()) << " was not caught in " << seeds
                          << " seeds";
    std::cout << "  seed " << seed << ": " << breach << "\n";
    for (std::uint64_t sound = 1; sound <= seed; ++sound)
        ASSERT_EQ(breach_of(sound, Mutant::none), "")
            << "no bug is planted; again: ./dev sim --stormy --seed " << sound;
}

constexpr auto name_of_case = [](const testing::TestParamInfo<Mutant>& each) {
    return std::string(raft::name_of(each.param));
};

#ifdef QUORATE_RARE_BUGS
INSTANTIATE_TEST_SUITE_P(InTime, Planted, testing::ValuesIn(caught_in_time), name_of_case);
#else
INSTANTIATE_TEST_SUITE_P(AtOnce, Planted, testing::ValuesIn(caught_at_once), name_of_case);
#endif

}  // namespace
}  // namespace quorate::sim
