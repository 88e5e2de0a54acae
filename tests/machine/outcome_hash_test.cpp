#include "host/machine/outcome_hash.hpp"

#include <gtest/gtest.h>

#include <set>

namespace quorate::machine {
namespace {

std::uint64_t of_reply(std::uint64_t index, std::string_view reply) {
    OutcomeHash hash;
    hash.begin(Index(index));
    hash.reply(as_bytes(reply));
    return hash.value();
}

// The definition is replicated: these values may never change.
TEST(OutcomeHash, is_what_it_always_was) {
    EXPECT_EQ(OutcomeHash().value(), 0U);
    EXPECT_EQ(of_reply(1, ""), 17919918715569030694U);
    EXPECT_EQ(of_reply(7, "twelve bytes"), 4992596433985492040U);
}

TEST(OutcomeHash, tells_index_order_kind_and_boundaries_apart) {
    std::set<std::uint64_t> values = {of_reply(1, "a"),
                                      of_reply(2, "a"),
                                      of_reply(1, "b"),
                                      of_reply(1, ""),
                                      of_reply(1, std::string_view("a\0", 2)),
                                      of_reply(1, std::string_view("\0", 1))};
    OutcomeHash effect;
    effect.begin(Index(1));
    effect.effect(as_bytes("a"));
    values.insert(effect.value());
    OutcomeHash none;
    none.begin(Index(1));
    values.insert(none.value());
    OutcomeHash joined;
    joined.begin(Index(1));
    joined.effect(as_bytes("ab"));
    joined.effect(as_bytes("c"));
    values.insert(joined.value());
    OutcomeHash split;
    split.begin(Index(1));
    split.effect(as_bytes("a"));
    split.effect(as_bytes("bc"));
    values.insert(split.value());
    EXPECT_EQ(values.size(), 10U);
}

TEST(OutcomeHash, goes_on_from_a_value_that_was_kept) {
    OutcomeHash whole;
    for (std::uint64_t i = 1; i <= 20; ++i) {
        whole.begin(Index(i));
        whole.reply(as_bytes(std::to_string(i)));
    }
    OutcomeHash first;
    for (std::uint64_t i = 1; i <= 10; ++i) {
        first.begin(Index(i));
        first.reply(as_bytes(std::to_string(i)));
    }
    OutcomeHash rest(first.value());
    for (std::uint64_t i = 11; i <= 20; ++i) {
        rest.begin(Index(i));
        rest.reply(as_bytes(std::to_string(i)));
    }
    EXPECT_EQ(rest.value(), whole.value());
}

// Any single flipped bit of a long history shows at its end.
TEST(OutcomeHash, keeps_a_difference_for_ever) {
    auto chain = [](std::size_t flipped) {
        OutcomeHash hash;
        for (std::size_t i = 0; i < 64; ++i) {
            std::string reply(16, 'x');
            if (flipped / 128 == i) {
                std::size_t bit = flipped % 128;
                reply[bit / 8] = static_cast<char>(reply[bit / 8] ^ (1 << (bit % 8)));
            }
            hash.begin(Index(i + 1));
            hash.reply(as_bytes(reply));
        }
        return hash.value();
    };
    std::set<std::uint64_t> values;
    for (std::size_t flipped = 0; flipped <= std::size_t{64} * 128; ++flipped) {
        values.insert(chain(flipped));
    }
    EXPECT_EQ(values.size(), std::size_t{64} * 128 + 1);
}

}  // namespace
}  // namespace quorate::machine
