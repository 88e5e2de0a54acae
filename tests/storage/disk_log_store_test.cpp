#include "tests/storage/disk_fixture.hpp"
#include "tests/support/sim_files.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace quorate::storage {
namespace {

raft::Store one_entry(std::uint64_t index, std::string payload) {
    raft::Store store{.ticket = Ticket(index)};
    store.entries.push_back(entry(index, 1, std::move(payload)));
    return store;
}

// Waits for what the executor brings until it is enough, or nothing has come for very long.
template <class Enough>
bool wait_until(TestExecutor& executor, Enough enough) {
    for (int idle = 0; !enough() && idle < 100;) {
        idle = executor.wait_and_run(std::chrono::milliseconds(200)) ? 0 : idle + 1;
    }
    return enough();
}

TEST(DiskLogStore, takes_stores_of_many_threads_at_once) {
    constexpr std::uint64_t threads = 4;
    constexpr std::uint64_t entries = 2000;
    std::array<TestExecutor, threads> executors;  // outlive the store, as in the host
    DiskUnderTest host;
    std::vector<std::thread> writers;
    std::atomic<std::uint64_t> done = 0;
    for (std::uint64_t id = 1; id <= threads; ++id) {
        writers.emplace_back([&host, &done, &executor = executors[id - 1], id] {
            TestClient client;
            GroupId group(id);
            host.store().create(group, Bytes::copy_of("r"), executor, [](auto) {});
            host.store().attach(group, executor, client);
            for (std::uint64_t i = 1; i <= entries; ++i) {
                host.store().write(group, one_entry(i, "payload " + std::to_string(i)));
                if (i % 500 == 0) host.store().release(group, {Term(1), Index(i - 100)});
            }
            bool all = wait_until(executor, [&] { return client.last == Ticket(entries); });
            if (all) ++done;
            host.store().detach(group);
        });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(done, threads);
    host.reopen();
    EXPECT_TRUE(host.disk->findings().empty());
    auto logs = host.store().take_recovered();
    ASSERT_EQ(logs.size(), threads);
    for (const RecoveredLog& log : logs) {
        EXPECT_EQ(log.last, Index(entries));
        EXPECT_EQ(log.base.index, Index(entries - 100));
        EXPECT_FALSE(log.damage);
    }
}

TEST(DiskLogStore, reads_find_entries_while_they_move_from_the_log_to_the_settled_log) {
    LogOptions options = small_files();
    DiskUnderTest host(options);
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    for (std::uint64_t last = 20; last <= 800; last += 20) {
        group.append(last - 19, last, 1, 150);
        ASSERT_TRUE(group.flush());
        auto read = group.read(1, last);
        ASSERT_TRUE(read.has_value()) << to_string(read.error());
        std::uint64_t next = 1;
        for (const raft::Entry& e : *read) {
            ASSERT_EQ(e.id.index, Index(next));
            ASSERT_EQ(e.payload.text(), GroupOf::payload(next, 1, 150));
            ++next;
        }
        ASSERT_EQ(next, last + 1);
    }
}

TEST(DiskLogStore, waits_for_settling_when_it_is_too_far_behind) {
    LogOptions options;
    options.file_bytes = 8 * 1024;
    options.max_files = 2;
    options.waiting_files = 1;
    DiskUnderTest host(options);
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    group.attach();
    for (std::uint64_t i = 1; i <= 400; ++i) group.append(i, i, 1, 500);
    ASSERT_TRUE(group.flush());
    auto names = host.files->list("log").value();
    auto count =
        std::ranges::count_if(names, [](const auto& n) { return parse_wal_name(n).has_value(); });
    EXPECT_LE(count, 8) << "files pile up";
    EXPECT_EQ(group.read(1, 400)->size(), 400u);
}

TEST(DiskLogStore, what_was_called_before_the_end_is_durable_after_it) {
    DiskUnderTest host;
    GroupOf group(host, 1);
    ASSERT_TRUE(group.create().has_value());
    for (std::uint64_t i = 1; i <= 300; ++i) group.append(i, i, 1, 100);
    host.reopen();
    EXPECT_EQ(host.store().take_recovered().front().last, Index(300));
    EXPECT_TRUE(host.disk->findings().empty());
}

TEST(DiskLogStore, a_failed_sync_is_said_once_and_nothing_is_reported_after_it) {
    FastDirectory directory;
    sim::SimFiles disk(1);
    TestExecutor executor;
    TestClient client;
    std::atomic<int> failures = 0;
    auto store = DiskLogStore::open({.settled_directory = directory.path() + "/settled"}, disk,
                                    [&](const Error& error) {
                                        EXPECT_EQ(error.code, Errc::io);
                                        ++failures;
                                        executor.post([] {});
                                    })
                     .value();
    store->create(GroupId(1), Bytes::copy_of("r"), executor, [](auto) {});
    store->attach(GroupId(1), executor, client);
    store->write(GroupId(1), one_entry(1, "durable"));
    ASSERT_TRUE(wait_until(executor, [&] { return client.last == Ticket(1); }));
    disk.fail_operation(1, sim::SimFiles::Failing::from_then_on);
    store->write(GroupId(1), one_entry(2, "lost"));
    ASSERT_TRUE(wait_until(executor, [&] { return failures > 0; }));
    store->write(GroupId(1), one_entry(3, "never taken"));
    store.reset();
    executor.run_ready();
    EXPECT_EQ(failures, 1);
    EXPECT_EQ(client.last, Ticket(1));
}

TEST(DiskLogStore, a_directory_that_cannot_be_used_is_an_error_and_not_an_end) {
    FastDirectory directory;
    sim::SimFiles disk(1);
    disk.fail_operation(3, sim::SimFiles::Failing::from_then_on);
    auto store = DiskLogStore::open({.settled_directory = directory.path() + "/settled"}, disk, {});
    ASSERT_FALSE(store.has_value());
    EXPECT_EQ(store.error().code, Errc::io);
}

TEST(DiskLogStore, ten_thousand_groups_open_in_one_go) {
    DiskUnderTest host(LogOptions{.file_bytes = 1024 * 1024});
    constexpr std::uint64_t groups = 10'000;
    std::uint64_t created = 0;
    for (std::uint64_t id = 1; id <= groups; ++id) {
        host.store().create(GroupId(id), Bytes::copy_of("registration"), host.executor,
                            [&](Result<void> result) { created += result.has_value() ? 1 : 0; });
        host.store().write(GroupId(id), one_entry(1, "first"));
    }
    ASSERT_TRUE(wait_until(host.executor, [&] { return created == groups; }));
    host.reopen();
    EXPECT_EQ(host.store().take_recovered().size(), groups);
}

}  // namespace
}  // namespace quorate::storage
