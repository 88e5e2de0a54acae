#include "rpc/loop/frame.hpp"

#include "tests/rpc/loop_fixture.hpp"
#include "tests/rpc/raw_socket.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace quorate::testing {
namespace {

using loop::FrameHeader;
using loop::FrameIncomplete;
using loop::FrameLimits;
using loop::FrameRefused;
using loop::FrameSize;

FrameHeader read(const std::string& bytes, const FrameLimits& limits = {}) {
    return loop::read_frame_header(as_bytes(bytes), limits);
}

TEST(Frame, a_table_that_was_made_is_read_as_it_was_made) {
    std::mt19937 random(7);
    for (std::size_t segments = 1; segments <= 20; ++segments) {
        std::vector<std::uint32_t> sizes(segments);
        std::size_t total = 0;
        for (auto& size : sizes) {
            size = static_cast<std::uint32_t>(random() % 1000 + 1);
            total += size;
        }
        std::string table = loop::make_frame_table(sizes);
        EXPECT_EQ(table.size() % 8, 0u);
        FrameHeader header = read(table);
        ASSERT_TRUE(std::holds_alternative<FrameSize>(header));
        EXPECT_EQ(std::get<FrameSize>(header).table_bytes, table.size());
        EXPECT_EQ(std::get<FrameSize>(header).total_bytes, table.size() + total * 8);
        for (std::size_t cut = 0; cut < table.size(); ++cut) {
            EXPECT_TRUE(std::holds_alternative<FrameIncomplete>(read(table.substr(0, cut)))) << cut;
        }
    }
}

TEST(Frame, four_bytes_ff_are_refused_at_once) {
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read("\xff\xff\xff\xff")));
}

TEST(Frame, a_segment_count_over_the_limit_is_refused_by_its_count_alone) {
    EXPECT_TRUE(std::holds_alternative<FrameIncomplete>(read(little_endian({511}))));
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({512}))));
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({0xfffffffe}))));
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({0x80000000}))));
}

TEST(Frame, sizes_over_the_limit_are_refused_as_soon_as_they_are_seen) {
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({0, 0xffffffff}))));
    // The second of three sizes is enough.
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({2, 1, 0x20000000}))));
    // Sums that would wrap in 32 bits.
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(
        read(little_endian({3, 0x80000000, 0x80000000, 0x80000000, 0x80000000}))));
    FrameLimits small{.max_bytes = 64};
    EXPECT_TRUE(std::holds_alternative<FrameSize>(read(little_endian({0, 7}), small)));
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({0, 8}), small)));
}

TEST(Frame, a_frame_without_a_word_is_refused) {
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({0, 0}))));
    EXPECT_TRUE(std::holds_alternative<FrameRefused>(read(little_endian({1, 0, 0, 0}))));
}

}  // namespace
}  // namespace quorate::testing
