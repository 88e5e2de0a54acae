#include "host/raft/membership.hpp"

#include "host/raft/random.hpp"

#include <gtest/gtest.h>

#include <string>

namespace quorate::raft {
namespace {

Membership example() {
    return {{{MemberId(3), "alpha", VoteKind::voter, {}},
             {MemberId(9), "", VoteKind::promotable, Index(77)},
             {MemberId(~0ull), "gamma", VoteKind::non_voter, {}}}};
}

TEST(MembershipCodec, gives_back_what_it_was_given) {
    auto decoded = decode_membership(encode(example()).view());
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, example());
}

TEST(MembershipCodec, writes_the_bytes_that_docs_formats_shows) {
    Membership one{{{MemberId(7), "a", VoteKind::voter, {}}}};
    std::string expected("\x01\x01\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0a", 25);
    EXPECT_EQ(encode(one).text(), expected);
}

TEST(MembershipCodec, refuses_every_beginning_and_anything_after_the_end) {
    std::string bytes(encode(example()).text());
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_FALSE(decode_membership(as_bytes(bytes.substr(0, length)))) << length;
    EXPECT_FALSE(decode_membership(as_bytes(bytes + "x")));
}

TEST(MembershipCodec, never_gives_an_invalid_membership_for_damaged_bytes) {
    std::string whole(encode(example()).text());
    Random random(1);
    for (int i = 0; i < 20000; ++i) {
        std::string bytes = whole;
        for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips)
            bytes[random.below(bytes.size())] = static_cast<char>(random.next());
        auto decoded = decode_membership(as_bytes(bytes));
        if (!decoded) continue;
        EXPECT_TRUE(is_valid(*decoded));
        EXPECT_EQ(encode(*decoded).text(), bytes) << "one membership, one encoding";
    }
}

TEST(Membership, is_valid_only_when_sorted_unique_named_and_with_a_voter) {
    EXPECT_TRUE(is_valid(example()));
    EXPECT_FALSE(is_valid({}));
    EXPECT_FALSE(is_valid({{{MemberId(1), "a", VoteKind::non_voter, {}}}}));
    EXPECT_FALSE(is_valid({{{MemberId(0), "a", VoteKind::voter, {}}}}));
    EXPECT_FALSE(is_valid({{{MemberId(2), "a"}, {MemberId(1), "b"}}}));
    EXPECT_FALSE(is_valid({{{MemberId(1), "a"}, {MemberId(1), "b"}}}));
}

TEST(MembershipLog, goes_back_to_what_was_in_force_when_entries_are_cut) {
    Membership first{{{MemberId(1), "a"}}};
    Membership second{{{MemberId(1), "a"}, {MemberId(2), "b"}}};
    MembershipLog log(Index(0), first);
    log.append(Index(5), second);
    EXPECT_EQ(log.active(), second);
    EXPECT_EQ(log.at(Index(4)), first);
    EXPECT_EQ(log.at(Index(5)), second);
    log.truncate_from(Index(6));
    EXPECT_EQ(log.active(), second);
    log.truncate_from(Index(5));
    EXPECT_EQ(log.active(), first);
}

TEST(MembershipLog, keeps_the_one_in_force_at_the_snapshot) {
    MembershipLog log(Index(0), {{{MemberId(1), "a"}}});
    for (std::uint64_t i = 1; i <= 4; ++i)
        log.append(Index(10 * i), {{{MemberId(1), "a"}, {MemberId(1 + i), "b"}}});
    log.compact(Index(25));
    EXPECT_NE(find(log.at(Index(25)), MemberId(3)), nullptr);
    EXPECT_EQ(log.active_since(), Index(40));
}

}  // namespace
}  // namespace quorate::raft
