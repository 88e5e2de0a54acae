#include "storage/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace quorate::storage {
namespace {

TEST(Crc32c, gives_the_published_check_values) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
    std::vector<std::byte> zeros(32);
    EXPECT_EQ(crc32c(zeros), 0x8A9136AAu);
    EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, is_the_same_by_table_and_by_instruction_and_in_pieces) {
    std::mt19937_64 random(7);
    for (std::size_t size : {1u, 7u, 8u, 9u, 63u, 64u, 1000u, 4097u}) {
        std::vector<std::byte> bytes(size);
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
        ByteView view(bytes);
        std::size_t cut = random() % size;
        EXPECT_EQ(crc32c(view), crc32c_by_table(view)) << size;
        EXPECT_EQ(crc32c(view.subspan(cut), crc32c(view.first(cut))), crc32c(view)) << size;
    }
}

}  // namespace
}  // namespace quorate::storage
