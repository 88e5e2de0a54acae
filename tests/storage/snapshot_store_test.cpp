#include "storage/posix_files.hpp"
#include "tests/storage/files_contract.hpp"
#include "tests/storage/snapshot_fixture.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/sim_files.hpp"

#include <algorithm>
#include <random>

namespace quorate::storage::snapshot_store_test {
namespace {

constexpr GroupId group(0xabcdef);

class Snapshots : public ::testing::TestWithParam<FilesKind> {
 protected:
    FilesUnderTest held = GetParam().make();
    Files& files = *held.files;
    std::unique_ptr<SnapshotDirectory> store = reopened();

    std::unique_ptr<SnapshotDirectory> reopened() {
        return SnapshotDirectory::open(files, "system/snapshots", small_chunks()).value();
    }
    std::vector<std::string> names_on_disk() {
        return files.list("system/snapshots/0000000000abcdef").value();
    }
};

TEST_P(Snapshots, give_back_what_was_written_whatever_its_size) {
    std::uint64_t index = 1;
    for (std::size_t size : {0, 1, 99, 100, 101, 200, 1000, 30'000}) {
        std::string state = state_of(size, size);
        SnapshotMeta meta = meta_at(group, entry(3, index));
        auto info = write_snapshot(*store, meta, state);
        ASSERT_TRUE(info.has_value()) << to_string(info.error());
        EXPECT_EQ(info->meta, meta);
        EXPECT_EQ(info->raw_bytes, size);
        auto reader = store->open(group, meta.last).value();
        EXPECT_EQ(reader->meta(), meta);
        EXPECT_EQ(read_all(*reader).value(), state);
        std::byte more;
        EXPECT_EQ(reader->read({&more, 1}).value(), 0u);
        ++index;
    }
}

TEST_P(Snapshots, are_listed_newest_first_also_after_a_restart) {
    for (std::uint64_t index : {5, 100, 20}) {
        ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(2, index)), "state").has_value());
    }
    auto before = store->list(group).value();
    EXPECT_EQ(entries_of(before), (std::vector{entry(2, 100), entry(2, 20), entry(2, 5)}));
    store = reopened();
    auto after = store->list(group).value();
    ASSERT_EQ(after.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(after[i].meta, before[i].meta);
        EXPECT_EQ(after[i].bytes, before[i].bytes);
        EXPECT_EQ(after[i].raw_bytes, 5u);
    }
}

TEST_P(Snapshots, compress) {
    auto info = write_snapshot(*store, meta_at(group, entry(1, 1)), std::string(20'000, 'x'));
    EXPECT_LT(info->bytes, 15'000u);
}

TEST_P(Snapshots, of_a_writer_that_was_dropped_leave_nothing) {
    {
        auto writer = store->begin(meta_at(group, entry(1, 1))).value();
        ASSERT_TRUE(writer->write(as_bytes(state_of(1, 5000))).has_value());
    }
    EXPECT_TRUE(names_on_disk().empty());
    EXPECT_TRUE(store->list(group).value().empty());
}

TEST_P(Snapshots, have_one_writer_or_receiver_per_group) {
    auto writer = store->begin(meta_at(group, entry(1, 1))).value();
    EXPECT_EQ(store->begin(meta_at(group, entry(1, 2))).error().code, Errc::snapshot_busy);
    EXPECT_EQ(store->receive(group, entry(1, 2)).error().code, Errc::snapshot_busy);
    EXPECT_TRUE(store->begin(meta_at(GroupId(2), entry(1, 2))).has_value());
    writer.reset();
    auto receiver = store->receive(group, entry(1, 2));
    EXPECT_TRUE(receiver.has_value());
    EXPECT_EQ(store->begin(meta_at(group, entry(1, 2))).error().code, Errc::snapshot_busy);
}

TEST_P(Snapshots, that_are_not_there_are_not_found) {
    EXPECT_TRUE(store->list(group).value().empty());
    EXPECT_EQ(store->open(group, entry(1, 1)).error().code, Errc::not_found);
    EXPECT_EQ(store->source(group, entry(1, 1)).error().code, Errc::not_found);
    EXPECT_TRUE(store->prune(group, 1).has_value());
    EXPECT_TRUE(store->erase(group).has_value());
}

TEST_P(Snapshots, without_a_voter_are_refused) {
    SnapshotMeta meta = meta_at(group, entry(1, 1));
    meta.membership.members.clear();
    EXPECT_EQ(store->begin(meta).error().code, Errc::request_invalid);
}

TEST_P(Snapshots, older_than_the_newest_are_pruned) {
    for (std::uint64_t index : {1, 2, 3}) {
        ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(1, index)), "s").has_value());
    }
    ASSERT_TRUE(store->prune(group, 2).has_value());
    EXPECT_EQ(entries_of(store->list(group).value()), (std::vector{entry(1, 3), entry(1, 2)}));
    EXPECT_EQ(names_on_disk().size(), 2u);
}

TEST_P(Snapshots, that_are_open_are_pruned_when_they_are_closed) {
    std::string state = state_of(1, 3000);
    ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(1, 1)), state).has_value());
    auto reader = store->open(group, entry(1, 1)).value();
    auto source = store->source(group, entry(1, 1)).value();
    ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(1, 2)), "new").has_value());
    ASSERT_TRUE(store->prune(group, 1).has_value());
    EXPECT_EQ(entries_of(store->list(group).value()), std::vector{entry(1, 2)});
    EXPECT_EQ(store->open(group, entry(1, 1)).error().code, Errc::not_found);
    EXPECT_EQ(names_on_disk().size(), 2u);
    EXPECT_EQ(read_all(*reader).value(), state);
    reader.reset();
    EXPECT_EQ(read_source(*source).value().size(), source->size());
    EXPECT_EQ(names_on_disk().size(), 2u);
    source.reset();
    EXPECT_EQ(names_on_disk().size(), 1u);
}

TEST_P(Snapshots, of_an_entry_already_covered_are_written_once) {
    SnapshotMeta meta = meta_at(group, entry(1, 1));
    auto first = write_snapshot(*store, meta, "state").value();
    auto names = names_on_disk();
    auto second = write_snapshot(*store, meta, "state").value();
    EXPECT_EQ(second.meta, first.meta);
    EXPECT_EQ(second.bytes, first.bytes);
    EXPECT_EQ(names_on_disk(), names);
}

// A repaired group may take one at the same entry, in another epoch and with other members.
TEST_P(Snapshots, that_say_something_else_of_the_same_entry_replace_it) {
    ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(1, 1)), "old").has_value());
    auto reader = store->open(group, entry(1, 1)).value();
    SnapshotMeta meta = meta_at(group, entry(1, 1));
    meta.epoch = Epoch(2);
    ASSERT_TRUE(write_snapshot(*store, meta, "new").has_value());
    EXPECT_EQ(read_all(*reader).value(), "old");
    reader.reset();
    store = reopened();
    auto listed = store->list(group).value();
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_EQ(listed[0].meta, meta);
    EXPECT_EQ(read_snapshot(*store, group, entry(1, 1)).value(), "new");
    ASSERT_TRUE(store->prune(group, 1).has_value());
    EXPECT_EQ(names_on_disk().size(), 1u);
    EXPECT_EQ(read_snapshot(*store, group, entry(1, 1)).value(), "new");
}

TEST_P(Snapshots, of_an_erased_group_are_gone_and_it_can_begin_anew) {
    ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(1, 1)), "s").has_value());
    ASSERT_TRUE(write_snapshot(*store, meta_at(GroupId(5), entry(1, 1)), "other").has_value());
    EXPECT_EQ(store->groups().value(), (std::vector{GroupId(5), group}));
    ASSERT_TRUE(store->erase(group).has_value());
    EXPECT_EQ(store->groups().value(), std::vector{GroupId(5)});
    EXPECT_TRUE(store->list(group).value().empty());
    EXPECT_EQ(read_snapshot(*store, GroupId(5), entry(1, 1)).value(), "other");
    ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(1, 1)), "again").has_value());
    EXPECT_EQ(read_snapshot(*store, group, entry(1, 1)).value(), "again");
}

TEST_P(Snapshots, are_sent_from_any_offset_as_they_lie_on_disk) {
    ASSERT_TRUE(write_snapshot(*store, meta_at(group, entry(1, 1)), state_of(1, 2000)).has_value());
    auto source = store->source(group, entry(1, 1)).value();
    std::string whole = read_source(*source).value();
    std::mt19937_64 random(11);
    for (int i = 0; i < 300; ++i) {
        std::uint64_t offset = random() % (whole.size() + 10);
        std::uint64_t count = random() % 500;
        std::string expected = offset < whole.size() ? whole.substr(offset, count) : "";
        EXPECT_EQ(source->read_at(offset, count).value().text(), expected);
    }
}

auto name_of = [](const auto& suite) { return suite.param.name; };

struct PosixOwner {
    TemporaryDirectory directory;
    std::unique_ptr<PosixFiles> files = PosixFiles::open(directory.path()).value();
};

INSTANTIATE_TEST_SUITE_P(
    OnDisk, Snapshots,
    ::testing::Values(FilesKind{"posix",
                                [] {
                                    auto owner = std::make_shared<PosixOwner>();
                                    return FilesUnderTest{owner, owner->files.get()};
                                }},
                      FilesKind{"simulated",
                                [] {
                                    auto owner = std::make_shared<sim::SimFiles>(1);
                                    return FilesUnderTest{owner, owner.get()};
                                }}),
    name_of);

}  // namespace
}  // namespace quorate::storage::snapshot_store_test
