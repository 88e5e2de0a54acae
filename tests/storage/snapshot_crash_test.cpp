#include "tests/storage/snapshot_fixture.hpp"
#include "tests/support/sim_files.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace quorate::storage::snapshot_crash_test {
namespace {

constexpr GroupId group(1);
using States = std::map<EntryId, std::string>;

std::string state_at(EntryId last) {
    return state_of(last.index.value(), 700);
}

Result<SnapshotInfo> take(SnapshotStore& store, EntryId last) {
    return write_snapshot(store, meta_at(group, last), state_at(last));
}

std::unique_ptr<SnapshotDirectory> open(sim::SimFiles& disk) {
    return SnapshotDirectory::open(disk, "a/s", small_chunks()).value();
}

// What a scenario does up to the power cut, and what must be true of each store found after it.
struct Scenario {
    std::function<Result<void>(SnapshotStore&)> before = [](SnapshotStore&) -> Result<void> {
        return {};
    };
    std::function<Result<void>(SnapshotStore&)> act;
    // The entries listed after the restart; `done`: act() had returned without an error.
    std::function<void(const std::vector<EntryId>& found, bool done)> check;
    std::function<void(SnapshotStore&)> afterwards = [](SnapshotStore&) {};
};

// Whatever is found is whole, and nothing else lies about but an unfinished transfer.
void expect_whole(SnapshotStore& store, sim::SimFiles& disk, const std::vector<EntryId>& found) {
    for (EntryId last : found) {
        EXPECT_EQ(read_snapshot(store, group, last).value(), state_at(last));
    }
    for (const std::string& path : disk.all_files()) {
        EXPECT_EQ(path.find("bad-"), std::string::npos) << path;
        EXPECT_EQ(path.find("tmp-"), std::string::npos) << path;
    }
}

// Runs the scenario with a power cut in each of its file operations, several times each.
void cut_power_everywhere(const Scenario& scenario) {
    std::uint64_t operation = 1;
    for (bool done = false; !done; ++operation) {
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            SCOPED_TRACE("power cut in operation " + std::to_string(operation) + ", seed " +
                         std::to_string(seed));
            std::mt19937_64 random(operation * 1000 + seed);
            sim::SimFiles disk(random());
            auto store = open(disk);
            ASSERT_TRUE(scenario.before(*store).has_value());
            disk.fail_operation(operation, sim::SimFiles::Failing::from_then_on);
            done = scenario.act(*store).has_value();
            disk.crash(random);
            store.reset();
            disk.restart();
            disk.heal();
            store = open(disk);
            auto found = entries_of(store->list(group).value());
            expect_whole(*store, disk, found);
            scenario.check(found, done);
            scenario.afterwards(*store);
            if (::testing::Test::HasFailure()) return;
        }
    }
    EXPECT_GT(operation, 5u);
}

TEST(SnapshotCrash, while_writing_leaves_the_old_one_and_all_or_nothing_of_the_new) {
    EntryId older = entry(1, 10);
    EntryId newer = entry(2, 20);
    cut_power_everywhere({
        .before = [&](SnapshotStore& store) -> Result<void> {
            TRY_VOID(take(store, older));
            return {};
        },
        .act = [&](SnapshotStore& store) -> Result<void> {
            TRY_VOID(take(store, newer));
            return {};
        },
        .check =
            [&](const std::vector<EntryId>& found, bool done) {
                std::vector<EntryId> with = {newer, older};
                EXPECT_TRUE(found == with || (!done && found == std::vector{older}));
            },
        .afterwards =
            [&](SnapshotStore& store) {
                EXPECT_TRUE(take(store, newer).has_value());
                EXPECT_EQ(read_snapshot(store, group, newer).value(), state_at(newer));
            },
    });
}

TEST(SnapshotCrash, of_the_first_snapshot_leaves_it_or_nothing) {
    EntryId first = entry(1, 10);
    cut_power_everywhere({
        .act = [&](SnapshotStore& store) -> Result<void> {
            TRY_VOID(take(store, first));
            return {};
        },
        .check =
            [&](const std::vector<EntryId>& found, bool done) {
                EXPECT_TRUE(found == std::vector{first} || (!done && found.empty()));
            },
    });
}

TEST(SnapshotCrash, while_receiving_leaves_all_or_a_part_from_which_it_goes_on) {
    EntryId last = entry(3, 30);
    sim::SimFiles sender_disk(1);
    auto sender = open(sender_disk);
    ASSERT_TRUE(take(*sender, last).has_value());
    auto source = sender->source(group, last).value();
    auto receive = [&](SnapshotStore& store) -> Result<void> {
        for (;;) {
            TRY(auto receiver, store.receive(group, last));
            std::uint64_t at = receiver->received();
            TRY(Bytes piece, source->read_at(at, 190));
            TRY_VOID(receiver->accept(at, piece.view()));
            if (receiver->received() < source->size()) continue;  // a new transfer for each piece
            TRY_VOID(receiver->commit(last));
            return {};
        }
    };
    cut_power_everywhere({
        .act = receive,
        .check =
            [&](const std::vector<EntryId>& found, bool done) {
                EXPECT_TRUE(found == std::vector{last} || (!done && found.empty()));
            },
        .afterwards =
            [&](SnapshotStore& store) {
                auto again = receive(store);
                EXPECT_TRUE(again.has_value()) << to_string(again.error());
                EXPECT_EQ(read_snapshot(store, group, last).value(), state_at(last));
            },
    });
}

TEST(SnapshotCrash, while_pruning_loses_no_snapshot_that_was_to_be_kept) {
    std::vector<EntryId> all = {entry(1, 30), entry(1, 20), entry(1, 10)};
    cut_power_everywhere({
        .before = [&](SnapshotStore& store) -> Result<void> {
            for (EntryId last : all) TRY_VOID(take(store, last));
            return {};
        },
        .act = [&](SnapshotStore& store) { return store.prune(group, 1); },
        .check =
            [&](const std::vector<EntryId>& found, bool done) {
                ASSERT_FALSE(found.empty());
                EXPECT_EQ(found.front(), all.front());
                EXPECT_TRUE(!done || found.size() == 1);
            },
    });
}

TEST(SnapshotCrash, while_replacing_one_of_the_same_entry_leaves_the_old_or_the_new) {
    EntryId last = entry(1, 10);
    std::set<std::uint64_t> epochs;
    SnapshotMeta replacing = meta_at(group, last);
    replacing.epoch = Epoch(2);
    cut_power_everywhere({
        .before = [&](SnapshotStore& store) -> Result<void> {
            TRY_VOID(take(store, last));
            return {};
        },
        .act = [&](SnapshotStore& store) -> Result<void> {
            TRY_VOID(write_snapshot(store, replacing, state_at(last)));
            return store.prune(group, 1);
        },
        .check = [&](const std::vector<EntryId>& found,
                     bool) { EXPECT_EQ(found, std::vector{last}); },
        .afterwards =
            [&](SnapshotStore& store) {
                epochs.insert(store.list(group).value().at(0).meta.epoch.value());
            },
    });
    EXPECT_EQ(epochs, (std::set<std::uint64_t>{1, 2}));
}

TEST(SnapshotCrash, while_erasing_a_group_leaves_all_of_it_or_nothing) {
    std::vector<EntryId> all = {entry(1, 20), entry(1, 10)};
    cut_power_everywhere({
        .before = [&](SnapshotStore& store) -> Result<void> {
            for (EntryId last : all) TRY_VOID(take(store, last));
            return {};
        },
        .act = [&](SnapshotStore& store) { return store.erase(group); },
        .check = [&](const std::vector<EntryId>& found,
                     bool done) { EXPECT_TRUE(found.empty() || (!done && found == all)); },
    });
}

}  // namespace
}  // namespace quorate::storage::snapshot_crash_test
