#include "storage/wal_reader.hpp"

#include "storage/crc32c.hpp"
#include "tests/support/sim_files.hpp"

#include <gtest/gtest.h>

#include <random>

namespace quorate::storage {
namespace {

constexpr std::uint64_t file = 7;

std::string record(RecordKind kind, std::uint64_t offset, const std::string& payload) {
    RecordHeader header{.kind = kind, .file = file, .group = GroupId(1), .index = Index(offset)};
    header.length = static_cast<std::uint32_t>(payload.size());
    header.payload_crc = crc32c(as_bytes(payload));
    std::string bytes(record_bytes(payload.size()), '\0');
    auto head = std::as_writable_bytes(std::span(bytes)).first<header_bytes>();
    put_header(header, offset, head);
    bytes.replace(header_bytes, payload.size(), payload);
    return bytes;
}

// Several parts long: many small records, some larger than a part.
std::string make_file(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string content = record(RecordKind::open, 0, "");
    while (content.size() < 4'000'000) {
        std::size_t bytes = random() % 100 == 0 ? random() % 1'500'000 : random() % 3000;
        std::string payload(bytes, static_cast<char>('a' + random() % 26));
        content += record(RecordKind::entry, content.size(), payload);
    }
    return content + record(RecordKind::seal, content.size(), "");
}

class WalReaderTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
    WalReader open(const std::string& content) {
        auto handle = files.open("wal", Files::Mode::create_new).value();
        ByteView whole = as_bytes(content);
        EXPECT_TRUE(handle->write_at(0, {&whole, 1}).has_value());
        return WalReader::open(files, "wal", file, part).value();
    }
    sim::SimFiles files{1};
    std::string part;
};

TEST_P(WalReaderTest, finds_what_a_scan_of_the_whole_finds) {
    std::string content = make_file(GetParam());
    WalReader reader = open(content);
    WalScan scan(as_bytes(content), file);
    while (auto expected = scan.next()) {
        auto found = reader.next().value();
        ASSERT_TRUE(found.has_value()) << "at " << expected->offset;
        ASSERT_EQ(found->offset, expected->offset);
        ASSERT_EQ(found->end, expected->end);
        ASSERT_EQ(found->link, expected->link);
        ASSERT_TRUE(found->intact);
        ASSERT_EQ(as_text(found->payload), as_text(expected->payload));
    }
    EXPECT_FALSE(reader.next().value().has_value());
    EXPECT_TRUE(reader.sealed());
    EXPECT_EQ(reader.position(), content.size());
    EXPECT_LT(part.size(), content.size() / 2) << "one part of the file at a time";
}

TEST_P(WalReaderTest, goes_no_further_than_the_first_thing_that_is_wrong) {
    std::string content = make_file(GetParam());
    std::mt19937_64 random(GetParam());
    std::size_t at = random() % content.size();
    content[at] = static_cast<char>(content[at] ^ 1);
    WalReader reader = open(content);
    for (;;) {
        auto found = reader.next().value();
        if (!found) break;
        if (!found->intact) {
            EXPECT_LE(found->offset, at);
            return;
        }
        // The padding behind a payload is covered by nothing, and means nothing.
        bool is_padding = at >= found->offset + header_bytes + found->payload.size();
        ASSERT_TRUE(found->end <= at || found->offset > at || is_padding);
    }
    EXPECT_TRUE(reader.sealed() || reader.position() <= at);
}

TEST_P(WalReaderTest, stops_where_the_file_was_cut) {
    std::string content = make_file(GetParam());
    std::mt19937_64 random(GetParam());
    content.resize(random() % content.size());
    WalReader reader = open(content);
    while (auto found = reader.next().value()) {
        if (found->intact) continue;
        EXPECT_EQ(found->end, content.size());
    }
    EXPECT_FALSE(reader.sealed());
}

INSTANTIATE_TEST_SUITE_P(Seeds, WalReaderTest, ::testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace quorate::storage
