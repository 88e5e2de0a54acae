#include "host/raft/quorum.hpp"

#include "host/raft/random.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace quorate::raft {
namespace {

// The greatest value that `needed` of them reach, by trying each.
std::uint64_t reached_by_trying(const std::vector<std::uint64_t>& values, std::size_t needed) {
    std::uint64_t best = 0;
    for (std::uint64_t candidate : values) {
        std::size_t reached = 0;
        for (std::uint64_t value : values) reached += value >= candidate ? 1 : 0;
        if (reached >= needed && candidate > best) best = candidate;
    }
    return best;
}

TEST(Quorum, finds_what_a_majority_has_reached) {
    Random random(7);
    for (int i = 0; i < 5000; ++i) {
        std::vector<std::uint64_t> values(1 + random.below(9));
        for (std::uint64_t& value : values) value = random.below(6);
        for (std::size_t needed = 1; needed <= values.size(); ++needed) {
            std::vector<std::uint64_t> copy = values;
            ASSERT_EQ(reached_by(std::span(copy), needed), reached_by_trying(values, needed));
        }
    }
}

TEST(Quorum, has_majorities_that_always_meet) {
    for (std::size_t voters = 1; voters < 50; ++voters) {
        EXPECT_GT(2 * majority(voters), voters);
        EXPECT_LE(2 * (majority(voters) - 1), voters) << "no smaller one would do";
    }
}

}  // namespace
}  // namespace quorate::raft
