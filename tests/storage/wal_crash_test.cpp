#include "tests/storage/log_model.hpp"

#include <gtest/gtest.h>

namespace quorate::storage {
namespace {

// Lives until the disk has done so many operations, or the model has had enough.
void live(SteppedUnderTest& host, LogModel& model, std::mt19937_64& random, int turns) {
    for (int i = 0; i < turns && host.failures.empty(); ++i) {
        for (auto n = random() % 6; n > 0; --n) model.act();
        if (random() % 3 != 0) host.drive();
        if (random() % 2 != 0) host.executor.run_ready();
        host.now += std::chrono::milliseconds(random() % 40);
    }
    host.executor.run_ready();
}

void check_recovery(SteppedUnderTest& host, LogModel& model) {
    EXPECT_TRUE(host.stepped->findings().empty()) << host.stepped->findings().front();
    model.check_recovered(host.store().take_recovered());
    model.attach_all();
}

LogOptions tiny_files() {
    LogOptions options;
    options.file_bytes = 4096;
    options.max_free_files = 1;
    options.waiting_files = 1;
    return options;
}

TEST(WalCrash, a_power_cut_leaves_every_group_at_a_store_that_is_not_older_than_the_last_reported) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        SteppedUnderTest host(tiny_files(), seed);
        std::mt19937_64 random(seed);
        LogModel model(host, seed, 1 + seed % 5);
        for (int life = 0; life < 8; ++life) {
            live(host, model, random, 60);
            host.crash();
            host.open();
            check_recovery(host, model);
            if (::testing::Test::HasFailure()) return;
        }
        EXPECT_GT(host.home.content()->mark.file, 3u) << "too little was settled to tell anything";
    }
}

TEST(WalCrash, a_power_cut_within_any_file_operation_loses_nothing_reported) {
    for (std::uint64_t n = 1; n <= 400; ++n) {
        SCOPED_TRACE("operation " + std::to_string(n));
        SteppedUnderTest host(tiny_files(), n);
        std::mt19937_64 random(n % 7);
        LogModel model(host, n % 7, 3);
        live(host, model, random, 30);
        host.disk.fail_operation(n, sim::SimFiles::Failing::from_then_on);
        live(host, model, random, 100);
        EXPECT_LE(host.failures.size(), 1u);
        host.crash();
        host.disk.heal();
        host.open();
        check_recovery(host, model);
        live(host, model, random, 30);
        host.kill();
        host.open();
        check_recovery(host, model);
        if (::testing::Test::HasFailure()) return;
    }
}

// Found by the simulator: after a failed sync the operating system takes its cache for written, and
// what the next process reads back from there is on no disk.
TEST(WalCrash, what_is_recovered_after_a_failed_operation_survives_a_power_cut) {
    for (std::uint64_t n = 1; n <= 400; ++n) {
        SCOPED_TRACE("operation " + std::to_string(n));
        SteppedUnderTest host(tiny_files(), n);
        std::mt19937_64 random(n % 7);
        LogModel model(host, n % 7, 3);
        live(host, model, random, 30);
        host.disk.fail_operation(n, sim::SimFiles::Failing::from_then_on);
        live(host, model, random, 100);
        host.kill();
        host.disk.heal();
        for (int life = 0; life < 2; ++life) {
            host.open();
            check_recovery(host, model);
            if (::testing::Test::HasFailure()) return;
            host.crash();
        }
    }
}

TEST(WalCrash, a_power_cut_within_any_file_operation_of_opening_loses_nothing) {
    for (std::uint64_t n = 1; n <= 60; ++n) {
        SCOPED_TRACE("operation " + std::to_string(n));
        SteppedUnderTest host(tiny_files(), n);
        std::mt19937_64 random(n % 7);
        LogModel model(host, n % 7, 3);
        live(host, model, random, 60);
        host.crash();
        host.disk.fail_operation(n, sim::SimFiles::Failing::from_then_on);
        static_cast<void>(host.try_open());
        host.crash();
        host.disk.heal();
        host.open();
        check_recovery(host, model);
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(WalCrash, a_failed_write_is_said_once_and_nothing_is_reported_after_it) {
    SteppedUnderTest host;
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    group.append(1, 1, 1);
    ASSERT_TRUE(group.flush());
    host.disk.fail_operation(1);
    group.append(2, 2, 1);
    host.drive_all();
    ASSERT_EQ(host.failures.size(), 1u);
    EXPECT_EQ(host.failures[0].code, Errc::io);
    group.append(3, 3, 1);
    host.drive_all();
    EXPECT_EQ(host.failures.size(), 1u);
    EXPECT_EQ(group.client.last, Ticket(1));
}

TEST(WalCrash, a_full_disk_is_a_failure_named_as_such) {
    SteppedUnderTest host(small_files());
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    std::uint64_t used = host.disk.capacity_bytes().value() - host.disk.free_bytes().value();
    host.disk.set_capacity(used + 1000);
    // A file of its own, for which there is no room.
    group.append(1, 1, 1, 2 * small_files().file_bytes);
    host.drive_all();
    ASSERT_EQ(host.failures.size(), 1u);
    EXPECT_EQ(host.failures[0].code, Errc::disk_full);
}

TEST(WalCrash, a_thousand_groups_survive_a_power_cut) {
    SteppedUnderTest host(small_files(), 5);
    std::vector<std::unique_ptr<GroupOf>> groups;
    for (std::uint64_t id = 1; id <= 1000; ++id) {
        groups.push_back(std::make_unique<GroupOf>(host, id));
        host.store().create(GroupId(id), Bytes::take("r" + std::to_string(id)), host.executor,
                            [](Result<void> result) { EXPECT_TRUE(result.has_value()); });
        groups.back()->attach();
    }
    for (std::uint64_t i = 1; i <= 10; ++i) {
        for (auto& group : groups) group->append(i, i, 1);
    }
    host.drive_all();
    host.crash();
    host.open();
    auto logs = host.store().take_recovered();
    ASSERT_EQ(logs.size(), 1000u);
    for (const RecoveredLog& log : logs) {
        EXPECT_EQ(log.last, Index(10));
        EXPECT_EQ(log.registration.text(), "r" + std::to_string(log.group.value()));
        EXPECT_FALSE(log.damage);
    }
}

TEST(WalCrash, one_batch_of_many_groups_is_one_write_and_one_sync) {
    SteppedUnderTest host;
    std::vector<std::unique_ptr<GroupOf>> groups;
    for (std::uint64_t id = 1; id <= 10; ++id) {
        groups.push_back(std::make_unique<GroupOf>(host, id));
        ASSERT_TRUE(groups.back()->create().has_value());
        groups.back()->attach();
    }
    host.drive_all();
    auto before = host.disk.statistics();
    std::size_t posts = host.executor.posts();
    for (auto& group : groups) group->append(1, 3, 1);
    host.drive();
    host.executor.run_ready();
    auto after = host.disk.statistics();
    EXPECT_EQ(after.writes - before.writes, 1u);
    EXPECT_EQ(after.syncs - before.syncs, 1u);
    EXPECT_EQ(host.executor.posts() - posts, 1u);
    for (auto& group : groups) EXPECT_EQ(group->client.last, Ticket(1));
}

TEST(WalCrash, entries_released_before_their_file_is_full_never_settle) {
    SteppedUnderTest host;
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    for (std::uint64_t i = 1; i <= 500; ++i) {
        group.append(i, i, 1, 100);
        ASSERT_TRUE(group.flush());
        if (i > 5) group.release(i - 5, 1);
    }
    ASSERT_GT(host.home.content()->mark.file, 2u);
    EXPECT_LE(host.home.content()->entries.size(), 10u);
}

TEST(WalCrash, settled_files_are_used_again_and_their_old_records_never_pass_for_new) {
    SteppedUnderTest host(tiny_files());
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    std::set<std::size_t> counts;
    for (std::uint64_t i = 1; i <= 300; ++i) {
        group.append(i, i, 1, 100);
        ASSERT_TRUE(group.flush());
        counts.insert(host.disk.all_files().size());
        if (i % 7 != 0) continue;
        // Every place of a recycled file still holds an old record: none may be taken for the log.
        host.kill();
        host.open();
        auto logs = host.store().take_recovered();
        ASSERT_EQ(logs.front().last, Index(i));
        group.client = {};
        group.ticket = {};
        group.attach();
    }
    EXPECT_LE(*counts.rbegin(), 7u) << "files pile up";
}

TEST(WalCrash, low_space_is_said_and_taken_back_with_a_margin) {
    LogOptions options = small_files();
    options.low_percent = 50;
    SteppedUnderTest host(options);
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    EXPECT_EQ(host.store().space(), Space::plenty);
    auto look = [&] {
        host.now += 2s;
        host.stepped->step(host.now);
        return host.store().space();
    };
    std::uint64_t used = host.disk.capacity_bytes().value() - host.disk.free_bytes().value();
    host.disk.set_capacity(used + used / 2);
    EXPECT_EQ(look(), Space::low);
    EXPECT_TRUE(host.stepped->wake_at())
        << "it must be looked at again although nothing is written";
    host.disk.set_capacity(used * 2 + used / 8);
    EXPECT_EQ(look(), Space::low) << "hardly above the mark";
    host.disk.set_capacity(used * 4);
    EXPECT_EQ(look(), Space::plenty);
}

}  // namespace
}  // namespace quorate::storage
