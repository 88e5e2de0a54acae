#include "host/raft/ring.hpp"

#include "host/raft/random.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace quorate::raft {
namespace {

TEST(Ring, behaves_as_a_deque) {
    Random random(3);
    Ring<std::uint64_t> ring;
    std::deque<std::uint64_t> plain;
    for (int i = 0; i < 20000; ++i) {
        std::uint64_t what = random.below(20);
        if (what < 11) {
            ring.push_back(what + static_cast<std::uint64_t>(i));
            plain.push_back(what + static_cast<std::uint64_t>(i));
        } else if (what < 16 && !plain.empty()) {
            ring.pop_front();
            plain.pop_front();
        } else if (what < 19 && !plain.empty()) {
            ring.pop_back();
            plain.pop_back();
        } else if (what == 19 && random.below(50) == 0) {
            ring.clear();
            plain.clear();
        }
        ASSERT_EQ(ring.size(), plain.size());
        for (std::size_t at = 0; at < plain.size(); at += 1 + plain.size() / 4)
            ASSERT_EQ(ring[at], plain[at]);
        if (plain.empty()) continue;
        ASSERT_EQ(ring.back(), plain.back());
    }
}

}  // namespace
}  // namespace quorate::raft
