#include "host/base/ring.hpp"

#include "host/raft/random.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

namespace quorate::raft {
namespace {

TEST(Ring, behaves_as_a_deque) {
    Random random(3);
    Ring<std::uint64_t> ring;
    std::deque<std::uint64_t> plain;
    for (int i = 0; i < 20000; ++i) {
        std::uint64_t what = random.below(20);
        bool grows = i / 4000 % 2 == 0;
        if (what < (grows ? 15u : 5u)) {
            ring.push_back(what + static_cast<std::uint64_t>(i));
            plain.push_back(what + static_cast<std::uint64_t>(i));
        } else if (what < 17 && !plain.empty()) {
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

TEST(Ring, destroys_what_is_popped) {
    auto value = std::make_shared<int>(1);
    Ring<std::shared_ptr<int>> ring;
    for (int i = 0; i < 3; ++i) ring.push_back(value);
    ring.pop_front();
    ring.pop_back();
    EXPECT_EQ(value.use_count(), 2);
}

}  // namespace
}  // namespace quorate::raft
