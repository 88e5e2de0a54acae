#include "rpc/bench/disk.hpp"

#include "tests/support/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace quorate::bench {
namespace {

TEST(TestDisk, measures_and_leaves_nothing_behind) {
    testing::ScratchDirectory scratch;
    for (bool prewritten : {true, false}) {
        auto figures = test_disk({scratch.path(), 4096, prewritten, 20ms});
        ASSERT_TRUE(figures.has_value()) << to_string(figures.error());
        EXPECT_GT(figures->latency.count(), 0u);
        EXPECT_GE(figures->seconds, 0.02);
    }
    EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(TestDisk, says_where_it_cannot_write) {
    auto figures = test_disk({"/nonexistent/folder", 256, true, 20ms});
    ASSERT_FALSE(figures.has_value());
    EXPECT_EQ(figures.error().code, Errc::io);
    EXPECT_THAT(figures.error().what,
                ::testing::HasSubstr("open /nonexistent/folder/quorate-bench-"));
}

}  // namespace
}  // namespace quorate::bench
