#include "rpc/bench/verify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quorate::bench {
namespace {

using ::testing::HasSubstr;

Account applied(std::initializer_list<std::uint64_t> numbers) {
    Account account;
    for (std::uint64_t number : numbers) account.add(number);
    return account;
}

Written written(std::initializer_list<std::uint64_t> acknowledged, std::uint64_t unknown = 0) {
    return {"g", 3, applied(acknowledged), unknown};
}

TEST(CheckAccount, is_content_with_what_was_acknowledged) {
    EXPECT_EQ(check_account(written({1, 2, 3}), applied({3, 1, 2})), "");
}

TEST(CheckAccount, finds_a_command_that_was_lost) {
    EXPECT_THAT(
        check_account(written({1, 2, 3}), applied({1, 3})),
        HasSubstr(
            "group g, client 3: 3 commands were acknowledged (0 more unknown), 2 were applied"));
}

TEST(CheckAccount, finds_a_command_that_was_applied_twice) {
    EXPECT_THAT(check_account(written({1, 2}), applied({1, 2, 2})), HasSubstr("3 were applied"));
}

TEST(CheckAccount, finds_one_lost_where_another_was_applied_twice) {
    EXPECT_THAT(check_account(written({1, 2, 3}), applied({1, 3, 3})),
                HasSubstr("not the same ones"));
}

TEST(CheckAccount, allows_for_those_that_are_unknown_and_no_more) {
    EXPECT_EQ(check_account(written({1, 2}, 1), applied({1, 2})), "");
    EXPECT_EQ(check_account(written({1, 2}, 1), applied({1, 2, 9})), "");
    EXPECT_NE(check_account(written({1, 2}, 1), applied({1, 2, 9, 9})), "");
    EXPECT_NE(check_account(written({1, 2}, 1), applied({1})), "");
}

}  // namespace
}  // namespace quorate::bench
