#include "tests/storage/snapshot_fixture.hpp"
#include "tests/support/sim_files.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace quorate::storage::snapshot_transfer_test {
namespace {

using ::testing::HasSubstr;

constexpr GroupId group(1);
constexpr EntryId last{Term(4), Index(40)};

// Two hosts; the first has a snapshot.
class SnapshotTransfer : public ::testing::Test {
 protected:
    sim::SimFiles from_disk{1};
    sim::SimFiles to_disk{2};
    std::unique_ptr<SnapshotDirectory> from = open(from_disk);
    std::unique_ptr<SnapshotDirectory> to = open(to_disk);
    std::string state = state_of(3, 3000);
    SnapshotMeta meta = meta_at(group, last);
    std::string bytes;

    void SetUp() override {
        ASSERT_TRUE(write_snapshot(*from, meta, state).has_value());
        bytes = read_source(*from->source(group, last).value()).value();
    }
    static std::unique_ptr<SnapshotDirectory> open(sim::SimFiles& disk) {
        return SnapshotDirectory::open(disk, "s", small_chunks()).value();
    }
    // Everything from received() on, up to `end`, in random pieces.
    Result<void> feed(SnapshotReceiver& receiver, std::string_view run, std::uint64_t end,
                      std::mt19937_64& random) {
        while (receiver.received() < end) {
            std::uint64_t offset = receiver.received();
            std::uint64_t count = std::min<std::uint64_t>(1 + random() % 400, end - offset);
            TRY_VOID(receiver.accept(offset, as_bytes(run.substr(offset, count))));
        }
        return {};
    }
    Result<SnapshotInfo> transfer(std::string_view run, EntryId expected = last) {
        std::mt19937_64 random(1);
        TRY(auto receiver, to->receive(group, expected));
        TRY_VOID(feed(*receiver, run, run.size(), random));
        return receiver->commit(expected);
    }
    void expect_nothing_there() {
        EXPECT_TRUE(to->list(group).value().empty());
        EXPECT_TRUE(to_disk.all_files().empty());
    }
    void restart_receiving_host() {
        to_disk.kill();
        to.reset();
        to_disk.restart();
        to = open(to_disk);
    }
};

TEST_F(SnapshotTransfer, brings_over_every_byte) {
    auto info = transfer(bytes);
    ASSERT_TRUE(info.has_value()) << to_string(info.error());
    EXPECT_EQ(info->meta, meta);
    EXPECT_EQ(info->bytes, bytes.size());
    EXPECT_EQ(info->raw_bytes, state.size());
    EXPECT_EQ(read_snapshot(*to, group, last).value(), state);
    EXPECT_EQ(read_source(*to->source(group, last).value()).value(), bytes);
}

TEST_F(SnapshotTransfer, resumes_where_it_was_cut_and_after_restarts_too) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        ASSERT_TRUE(to->erase(group).has_value());
        std::uint64_t reached = 0;
        bool restarted = false;
        while (reached < bytes.size()) {
            auto receiver = to->receive(group, last).value();
            // At most what a chunk holds is fetched again after a restart.
            EXPECT_GE(receiver->received() + (restarted ? 250 : 0), reached);
            EXPECT_LE(receiver->received(), reached);
            std::uint64_t end = std::min<std::uint64_t>(bytes.size(), reached + 1 + random() % 900);
            ASSERT_TRUE(feed(*receiver, bytes, end, random).has_value());
            reached = end;
            if (reached == bytes.size()) {
                ASSERT_TRUE(receiver->commit(last).has_value());
            }
            receiver.reset();
            restarted = random() % 2 == 0;
            if (restarted) restart_receiving_host();
        }
        EXPECT_EQ(read_snapshot(*to, group, last).value(), state);
    }
}

TEST_F(SnapshotTransfer, ignores_repeated_pieces_and_refuses_gaps) {
    auto receiver = to->receive(group, last).value();
    std::string_view run = bytes;
    ASSERT_TRUE(receiver->accept(0, as_bytes(run.substr(0, 300))).has_value());
    EXPECT_TRUE(receiver->accept(0, as_bytes(run.substr(0, 300))).has_value());
    EXPECT_TRUE(receiver->accept(100, as_bytes(run.substr(100, 50))).has_value());
    EXPECT_EQ(receiver->received(), 300u);
    EXPECT_EQ(receiver->accept(301, as_bytes(run.substr(301, 9))).error().code,
              Errc::request_invalid);
    EXPECT_TRUE(receiver->accept(200, as_bytes(run.substr(200))).has_value());
    EXPECT_EQ(receiver->received(), bytes.size());
    EXPECT_TRUE(receiver->commit(last).has_value());
    EXPECT_EQ(read_snapshot(*to, group, last).value(), state);
}

TEST_F(SnapshotTransfer, with_any_byte_changed_on_the_way_is_refused_and_leaves_nothing) {
    std::mt19937_64 random(5);
    for (int round = 0; round < 150; ++round) {
        std::string spoilt = bytes;
        std::uint64_t at = random() % spoilt.size();
        spoilt[at] = static_cast<char>(spoilt[at] ^ (1 << random() % 8));
        auto info = transfer(spoilt);
        ASSERT_FALSE(info.has_value()) << "byte " << at;
        EXPECT_EQ(info.error().code, Errc::corrupt) << to_string(info.error());
        expect_nothing_there();
    }
    EXPECT_TRUE(transfer(bytes).has_value());
}

TEST_F(SnapshotTransfer, that_ends_too_early_or_goes_on_too_long_is_refused) {
    for (std::size_t cut : {std::size_t{0}, std::size_t{10}, std::size_t{40}, std::size_t{500},
                            bytes.size() - 40, bytes.size() - 1}) {
        EXPECT_EQ(transfer(bytes.substr(0, cut)).error().code, Errc::corrupt) << cut;
        expect_nothing_there();
    }
    EXPECT_EQ(transfer(bytes + "x").error().code, Errc::corrupt);
    expect_nothing_there();
}

TEST_F(SnapshotTransfer, of_another_entry_or_group_is_refused) {
    auto other_entry = transfer(bytes, entry(4, 41));
    EXPECT_EQ(other_entry.error().code, Errc::corrupt);
    EXPECT_THAT(other_entry.error().what, HasSubstr("at index 40, not of 0000000000000001 at 41"));
    expect_nothing_there();
    auto receiver = to->receive(GroupId(2), last).value();
    ASSERT_TRUE(receiver->accept(0, as_bytes(bytes)).has_value());
    EXPECT_EQ(receiver->commit(last).error().code, Errc::corrupt);
    EXPECT_EQ(receiver->accept(0, {}).error().code, Errc::request_invalid);
    EXPECT_EQ(receiver->commit(last).error().code, Errc::request_invalid);
    expect_nothing_there();
}

TEST_F(SnapshotTransfer, of_chunks_in_another_order_is_refused) {
    // Two chunks that are equal in size, so that only their checksums tell them apart.
    std::string random_state = state_of(9, 200);
    for (char& c : random_state) c = static_cast<char>(c * 31 + 7);
    EntryId at = entry(4, 44);
    ASSERT_TRUE(
        write_snapshot(*from, meta_at(group, at), std::string(100, 'a') + std::string(100, 'b'))
            .has_value());
    std::string run = read_source(*from->source(group, at).value()).value();
    std::size_t first = run.find("CHNK");
    std::size_t second = run.find("CHNK", first + 1);
    std::size_t end = run.find("QEND");
    ASSERT_EQ(second - first, end - second);
    std::string swapped = run.substr(0, first) + run.substr(second, end - second) +
                          run.substr(first, second - first) + run.substr(end);
    EXPECT_EQ(transfer(swapped, at).error().code, Errc::corrupt);
    EXPECT_TRUE(transfer(run, at).has_value());
}

TEST_F(SnapshotTransfer, of_a_newer_snapshot_replaces_an_unfinished_one) {
    {
        auto receiver = to->receive(group, last).value();
        ASSERT_TRUE(receiver->accept(0, as_bytes(bytes).first(500)).has_value());
    }
    EXPECT_EQ(to_disk.all_files().size(), 1u);
    auto newer = to->receive(group, entry(4, 50)).value();
    EXPECT_EQ(newer->received(), 0u);
    EXPECT_EQ(to_disk.all_files().size(), 1u);
    newer.reset();
    EXPECT_EQ(to->receive(group, last).value()->received(), 0u);
}

TEST_F(SnapshotTransfer, left_unfinished_goes_when_a_newer_snapshot_was_taken) {
    {
        auto receiver = to->receive(group, last).value();
        ASSERT_TRUE(receiver->accept(0, as_bytes(bytes).first(500)).has_value());
    }
    ASSERT_TRUE(write_snapshot(*to, meta_at(group, entry(4, 30)), "older").has_value());
    ASSERT_TRUE(to->prune(group, 1).has_value());
    EXPECT_EQ(to_disk.all_files().size(), 2u);
    ASSERT_TRUE(write_snapshot(*to, meta_at(group, entry(4, 60)), "newer").has_value());
    ASSERT_TRUE(to->prune(group, 1).has_value());
    EXPECT_EQ(to_disk.all_files().size(), 1u);
}

TEST_F(SnapshotTransfer, of_what_is_there_already_keeps_what_is_there) {
    ASSERT_TRUE(transfer(bytes).has_value());
    auto files_before = to_disk.all_files();
    auto again = transfer(bytes);
    ASSERT_TRUE(again.has_value()) << to_string(again.error());
    EXPECT_EQ(again->meta, meta);
    EXPECT_EQ(to_disk.all_files(), files_before);
}

TEST_F(SnapshotTransfer, waits_for_room_on_a_full_disk) {
    auto receiver = to->receive(group, last).value();
    ASSERT_TRUE(receiver->accept(0, as_bytes(bytes).first(500)).has_value());
    to_disk.set_capacity(600);
    EXPECT_EQ(receiver->accept(500, as_bytes(bytes).subspan(500)).error().code, Errc::disk_full);
    EXPECT_EQ(receiver->received(), 500u);
    to_disk.set_capacity(100'000);
    EXPECT_TRUE(receiver->accept(500, as_bytes(bytes).subspan(500)).has_value());
    EXPECT_TRUE(receiver->commit(last).has_value());
}

TEST_F(SnapshotTransfer, of_a_snapshot_that_rots_while_it_is_sent_stops_at_the_sender) {
    auto source = from->source(group, last).value();
    std::string path = from_disk.all_files().at(0);
    from_disk.flip_bit(path, bytes.size() / 2, 3);
    auto sent = read_source(*source);
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().code, Errc::corrupt);
    EXPECT_THAT(sent.error().what, HasSubstr(path));
    source.reset();
    EXPECT_TRUE(from->list(group).value().empty());
}

}  // namespace
}  // namespace quorate::storage::snapshot_transfer_test
