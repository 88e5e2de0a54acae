#include "storage/snapshot_format.hpp"

#include "tests/storage/snapshot_fixture.hpp"

#include <random>

namespace quorate::storage {
namespace {

std::string random_text(std::mt19937_64& random, std::size_t limit) {
    std::string text(random() % limit, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
}

SnapshotMeta random_meta(std::mt19937_64& random) {
    SnapshotMeta meta;
    meta.group = GroupId(random());
    meta.epoch = Epoch(random());
    meta.last = {Term(random()), Index(random())};
    std::uint64_t id = 0;
    for (std::size_t n = 1 + random() % 9; n > 0; --n) {
        id += 1 + random() % 1000;
        meta.membership.members.push_back(
            {.id = MemberId(id), .host = "h" + std::to_string(random() % 100)});
    }
    meta.membership.members.back().kind = raft::VoteKind::voter;
    if (meta.membership.members.size() > 1) {
        meta.membership.members[0].kind = raft::VoteKind::promotable;
        meta.membership.members[0].promote_at = Index(random());
    }
    meta.machine = random_text(random, 70);
    meta.machine_version = static_cast<std::uint32_t>(random());
    meta.build = random_text(random, 70);
    meta.outcome_hash = random();
    meta.time_ms = static_cast<std::int64_t>(random());
    meta.host_state = Bytes::take(random_text(random, 3000));
    return meta;
}

TEST(SnapshotFormat, metadata_comes_back_equal) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        std::mt19937_64 random(seed);
        SnapshotMeta meta = random_meta(random);
        std::string encoded = encode_snapshot_meta(meta).value();
        auto decoded = decode_snapshot_meta(as_bytes(encoded));
        ASSERT_TRUE(decoded.has_value()) << "seed " << seed;
        EXPECT_EQ(*decoded, meta) << "seed " << seed;
    }
}

TEST(SnapshotFormat, metadata_of_any_other_length_is_refused) {
    std::mt19937_64 random(1);
    std::string encoded = encode_snapshot_meta(random_meta(random)).value();
    for (std::size_t length = 0; length < encoded.size(); ++length) {
        EXPECT_FALSE(decode_snapshot_meta(as_bytes(encoded).first(length)).has_value()) << length;
    }
    EXPECT_FALSE(decode_snapshot_meta(as_bytes(encoded + "x")).has_value());
}

// Bytes of a peer come here with whatever checksum the peer chose.
TEST(SnapshotFormat, arbitrary_bytes_are_decoded_or_refused_but_never_more) {
    for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
        std::mt19937_64 random(seed);
        std::string bytes = encode_snapshot_meta(random_meta(random)).value();
        for (std::uint64_t n = random() % 4; n > 0; --n) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        auto decoded = decode_snapshot_meta(as_bytes(bytes));
        EXPECT_TRUE(!decoded || encode_snapshot_meta(*decoded).value() == bytes) << "seed " << seed;
        std::string noise = random_text(random, 64);
        static_cast<void>(SnapshotHeader::decode(as_bytes(noise)));
        EXPECT_FALSE(SnapshotChunkHeader::decode(as_bytes(noise)).has_value());
        EXPECT_FALSE(SnapshotTrailer::decode(7, as_bytes(noise)).has_value());
    }
}

TEST(SnapshotFormat, its_parts_have_the_sizes_that_the_document_names) {
    SnapshotHeader header = SnapshotHeader::of(as_bytes("metadata"));
    EXPECT_EQ(header.encode().size(), snapshot_header_bytes);
    EXPECT_EQ(SnapshotHeader::decode(as_bytes(header.encode())).value().binding, header.binding);
    auto chunk = SnapshotChunkHeader::of(header.binding, 0, 10, as_bytes("stored"));
    EXPECT_EQ(chunk.encode().size(), snapshot_chunk_header_bytes);
    EXPECT_EQ(SnapshotTrailer{}.encode(header.binding).size(), snapshot_trailer_bytes);
}

TEST(SnapshotFormat, a_chunk_matches_only_its_own_place_and_snapshot) {
    auto chunk = SnapshotChunkHeader::of(5, 3, 10, as_bytes("stored"));
    EXPECT_TRUE(chunk.matches(5, 3, as_bytes("stored")));
    EXPECT_FALSE(chunk.matches(5, 4, as_bytes("stored")));
    EXPECT_FALSE(chunk.matches(6, 3, as_bytes("stored")));
    EXPECT_FALSE(chunk.matches(5, 3, as_bytes("stores")));
    EXPECT_FALSE(chunk.matches(5, 3, as_bytes("store")));
}

TEST(SnapshotFormat, names_order_as_their_entries_do_and_come_back) {
    SnapshotName name{entry(7, 12), 3};
    EXPECT_EQ(name.text(), "00000000000000000012-7-3");
    EXPECT_EQ(SnapshotName::parse(name.text()), name);
    for (const char* bad :
         {"", "12", "12-7", "00000000000000000012-7", "12-7-3", "bad-12-7-3",
          "00000000000000000012-7-3x", "00000000000000000012-07-3", "99999999999999999999-7-3"}) {
        EXPECT_EQ(SnapshotName::parse(bad), std::nullopt) << bad;
    }
    EXPECT_EQ(parse_hex_name("00000000000000ff"), GroupId(255));
    EXPECT_EQ(parse_hex_name("FF"), std::nullopt);
    EXPECT_EQ(parse_hex_name("00000000000000FF"), std::nullopt);
}

}  // namespace
}  // namespace quorate::storage
