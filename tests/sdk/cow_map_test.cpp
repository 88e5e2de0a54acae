#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <quorate/cow_map.hpp>
#include <random>
#include <string>
#include <thread>

namespace {

using Map = quorate::CowMap<std::string, std::uint64_t>;
using Model = std::map<std::string, std::uint64_t>;

std::string key_of(std::uint64_t number) {
    return "key" + std::to_string(number);
}

void expect_equal(const Map& map, const Model& model) {
    ASSERT_EQ(map.size(), model.size());
    auto expected = model.begin();
    for (const auto& [key, value] : map) {
        ASSERT_EQ(key, expected->first);
        ASSERT_EQ(value, expected->second);
        ++expected;
    }
    ASSERT_TRUE(expected == model.end());
}

// One random change of both; keys come from a small space so that they meet again.
void change(Map& map, Model& model, std::mt19937_64& random, std::uint64_t space,
            int erase_percent) {
    std::string key = key_of(random() % space);
    if (static_cast<int>(random() % 100) < erase_percent) {
        ASSERT_EQ(map.erase(key), model.erase(key) == 1);
        return;
    }
    std::uint64_t value = random();
    ASSERT_EQ(map.put(key, value), !model.contains(key));
    model[key] = value;
}

TEST(CowMap, does_what_an_ordered_map_does) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        Map map;
        Model model;
        // Grows, then shrinks to nothing, so that nodes split and join at every level.
        for (int erase_percent : {5, 50, 95, 30, 100}) {
            for (int i = 0; i < 6000; ++i) change(map, model, random, 5000, erase_percent);
            expect_equal(map, model);
            for (int i = 0; i < 50; ++i) {
                std::string key = key_of(random() % 6000);
                auto expected = model.lower_bound(key);
                auto got = map.lower_bound(key);
                ASSERT_EQ(got == map.end(), expected == model.end());
                if (got != map.end()) {
                    ASSERT_EQ(got->first, expected->first);
                }
                ASSERT_EQ(map.rank(key),
                          static_cast<std::size_t>(std::distance(model.begin(), expected)));
                ASSERT_EQ(map.contains(key), model.contains(key));
            }
        }
    }
}

TEST(CowMap, copies_stay_as_they_were_whatever_happens_to_the_others) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        std::vector<std::pair<Map, Model>> versions(1);
        for (int round = 0; round < 40; ++round) {
            auto [map, model] = versions[random() % versions.size()];
            for (int i = 0; i < 200; ++i) {
                change(map, model, random, 2000, static_cast<int>(random() % 100));
            }
            if (versions.size() > 12) versions.erase(versions.begin());
            versions.emplace_back(map, model);
            for (const auto& [kept, expected] : versions) expect_equal(kept, expected);
        }
    }
}

TEST(CowMap, rising_and_falling_keys_fill_it_as_well_as_random_ones) {
    Map rising;
    Map falling;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        rising.put(std::to_string(100'000 + i), i);
        falling.put(std::to_string(119'999 - i), 19'999 - i);
    }
    EXPECT_TRUE(rising == falling);
    EXPECT_EQ(rising.rank("110000"), 10'000u);
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        ASSERT_TRUE(rising.erase(std::to_string(100'000 + i)));
    }
    EXPECT_TRUE(rising.empty());
    EXPECT_TRUE(rising.begin() == rising.end());
    EXPECT_EQ(falling.size(), 20'000u);
}

TEST(CowMap, an_empty_map_has_nothing_and_loses_nothing) {
    Map map;
    EXPECT_TRUE(map.begin() == map.end());
    EXPECT_TRUE(map.lower_bound("a") == map.end());
    EXPECT_EQ(map.find("a"), nullptr);
    EXPECT_EQ(map.rank("a"), 0u);
    EXPECT_FALSE(map.erase("a"));
}

// Counts how many of it exist.
struct Counted {
    static inline int alive = 0;
    Counted() { ++alive; }
    Counted(const Counted&) { ++alive; }
    Counted& operator=(const Counted&) = default;
    ~Counted() { --alive; }
};

TEST(CowMap, what_no_copy_needs_any_more_goes_with_the_next_changes_and_at_the_end) {
    {
        quorate::CowMap<int, Counted> map;
        for (int i = 0; i < 1000; ++i) map.put(i, Counted());
        EXPECT_EQ(Counted::alive, 1000);
        auto copy = std::make_unique<quorate::CowMap<int, Counted>>(map);
        EXPECT_EQ(Counted::alive, 1000) << "a copy copies no values";
        for (int i = 0; i < 1000; ++i) map.put(i, Counted());
        EXPECT_EQ(Counted::alive, 2000) << "the copy keeps what it had";
        copy.reset();
        for (int i = 0; i < 1000; ++i) map.put(i, Counted());
        EXPECT_EQ(Counted::alive, 1000) << "changes of the map sweep up after the copy";
        map.clear();
    }
    EXPECT_EQ(Counted::alive, 0);
}

TEST(CowMap, can_be_assigned_moved_and_outlived_by_its_copies) {
    Map map;
    for (std::uint64_t i = 0; i < 500; ++i) map.put(key_of(i), i);
    Map copy = map;
    map = Map();
    EXPECT_TRUE(map.empty());
    Map moved = std::move(copy);
    EXPECT_EQ(moved.size(), 500u);
    map.put("a", 1);
    moved = map;
    EXPECT_EQ(moved.size(), 1u);
    moved = *&moved;
    EXPECT_EQ(*moved.find("a"), 1u);
}

// Meant for ThreadSanitizer: copies are read, changed and destroyed on several threads at once.
TEST(CowMap, copies_belong_to_different_threads_at_the_same_time) {
    Map map;
    Model model;
    std::mt19937_64 random(9);
    for (int i = 0; i < 3000; ++i) change(map, model, random, 2000, 10);
    std::vector<std::thread> threads;
    std::vector<std::uint64_t> sums(4);
    for (std::size_t t = 0; t < sums.size(); ++t) {
        threads.emplace_back([copy = map, &sum = sums[t], t]() mutable {
            for (const auto& [key, value] : copy) sum += value;
            for (std::uint64_t i = 0; i < 500; ++i) copy.put(key_of(i * (t + 1)), i);
            copy.clear();
        });
    }
    std::uint64_t expected = 0;
    for (const auto& [key, value] : model) expected += value;
    for (int i = 0; i < 3000; ++i) change(map, model, random, 2000, 40);
    for (std::thread& thread : threads) thread.join();
    for (std::uint64_t sum : sums) EXPECT_EQ(sum, expected);
    expect_equal(map, model);
}

}  // namespace
