#include "rpc/bench/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace quorate::bench {
namespace {

std::uint64_t exact_quantile(const std::vector<std::uint64_t>& sorted, double q) {
    auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

TEST(Histogram, is_empty_at_first) {
    Histogram histogram;
    EXPECT_EQ(histogram.count(), 0u);
    EXPECT_EQ(histogram.quantile(0.5), 0u);
    EXPECT_EQ(histogram.max(), 0u);
}

TEST(Histogram, tells_every_quantile_to_a_64th_of_its_value) {
    constexpr std::uint64_t seed = 4711;
    std::mt19937_64 random(seed);
    Histogram histogram;
    std::vector<std::uint64_t> all;
    for (int i = 0; i < 20'000; ++i) {
        std::uint64_t value = random() >> (random() % 64);  // every magnitude
        histogram.add(value);
        all.push_back(value);
    }
    std::ranges::sort(all);
    for (double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
        std::uint64_t exact = exact_quantile(all, q);
        std::uint64_t told = histogram.quantile(q);
        EXPECT_GE(told, exact) << q << ", seed " << seed;
        EXPECT_LE(told - exact, exact / 64) << q << ", seed " << seed;
    }
    EXPECT_EQ(histogram.max(), all.back());
    EXPECT_EQ(histogram.count(), all.size());
}

TEST(Histogram, tells_small_values_exactly) {
    for (std::uint64_t value = 0; value < 128; ++value) {
        Histogram histogram;
        histogram.add(value);
        histogram.add(1'000'000);
        EXPECT_EQ(histogram.quantile(0.5), value);
    }
}

TEST(Histogram, merges_as_if_one_had_seen_all) {
    Histogram both;
    Histogram left;
    Histogram right;
    for (std::uint64_t value = 1; value < 100'000; value += 7) {
        (value % 2 == 0 ? left : right).add(value);
        both.add(value);
    }
    left.merge(right);
    EXPECT_EQ(left.count(), both.count());
    EXPECT_EQ(left.max(), both.max());
    for (double q : {0.1, 0.5, 0.99}) EXPECT_EQ(left.quantile(q), both.quantile(q));
}

}  // namespace
}  // namespace quorate::bench
