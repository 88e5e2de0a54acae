#include "storage/memory_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <random>
#include <thread>

namespace quorate::storage {
namespace {

constexpr GroupId group(7);

class Queue final : public Executor {
 public:
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    void run() {
        while (!tasks_.empty()) {
            Task task = std::move(tasks_.front());
            tasks_.pop_front();
            task();
        }
    }

 private:
    std::deque<Task> tasks_;
};

struct Client final : LogClient {
    std::vector<std::uint64_t> tickets;
    void stored(Ticket ticket) override { tickets.push_back(ticket.value()); }
};

raft::Entry entry(std::uint64_t term, std::uint64_t index, std::string payload = "x",
                  raft::EntryKind kind = raft::EntryKind::command) {
    return {
        .id = {Term(term), Index(index)}, .kind = kind, .payload = Bytes::take(std::move(payload))};
}

raft::Store append(std::uint64_t ticket, std::vector<raft::Entry> entries) {
    raft::Store store{.ticket = Ticket(ticket)};
    store.entries = std::move(entries);
    return store;
}

class MemoryLog : public ::testing::Test {
 protected:
    Queue queue;
    Client client;
    MemoryStore store;

    void SetUp() override {
        EXPECT_TRUE(create(group).has_value());
        store.attach(group, queue, client);
    }
    Result<void> create(GroupId id) {
        Result<void> result = fail(Errc::internal, "never answered");
        store.create(id, Bytes::take("registration"), queue, [&](Result<void> r) { result = r; });
        queue.run();
        return result;
    }
    Result<std::vector<raft::Entry>> read(std::uint64_t from, std::uint64_t to,
                                          std::uint64_t max_bytes = 1 << 20) {
        Result<std::vector<raft::Entry>> result = fail(Errc::internal, "never answered");
        store.read(group, Index(from), Index(to), max_bytes, queue, [&](auto r) { result = r; });
        queue.run();
        return result;
    }
    RecoveredLog recovered() {
        auto all = store.take_recovered();
        EXPECT_EQ(all.size(), 1u);
        return all.at(0);
    }
};

TEST_F(MemoryLog, reports_each_store_in_order_on_the_executor) {
    store.write(group, append(1, {entry(1, 1)}));
    store.write(group, append(2, {entry(1, 2)}));
    EXPECT_TRUE(client.tickets.empty());
    queue.run();
    EXPECT_EQ(client.tickets, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(MemoryLog, holds_reports_until_told_and_loses_what_is_held_in_a_crash) {
    store.hold();
    for (std::uint64_t i = 1; i <= 3; ++i) store.write(group, append(i, {entry(1, i)}));
    queue.run();
    EXPECT_TRUE(client.tickets.empty());
    EXPECT_EQ(store.held(), 3u);
    EXPECT_EQ(read(1, 9).value().size(), 3u);
    store.flush(1);
    queue.run();
    EXPECT_EQ(client.tickets, (std::vector<std::uint64_t>{1}));
    store.crash();
    EXPECT_EQ(recovered().last, Index(1));
    EXPECT_TRUE(store.take_recovered().empty());
}

TEST_F(MemoryLog, goes_on_by_itself_after_resume) {
    store.hold();
    store.write(group, append(1, {entry(1, 1)}));
    store.resume();
    store.write(group, append(2, {entry(1, 2)}));
    queue.run();
    EXPECT_EQ(client.tickets, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(MemoryLog, tells_nobody_after_detach) {
    store.write(group, append(1, {entry(1, 1)}));
    store.detach(group);
    store.write(group, append(2, {entry(1, 2)}));
    queue.run();
    EXPECT_TRUE(client.tickets.empty());
    Client next;
    store.attach(group, queue, next);
    store.write(group, append(3, {entry(1, 3)}));
    queue.run();
    EXPECT_EQ(next.tickets, (std::vector<std::uint64_t>{3}));
    EXPECT_TRUE(client.tickets.empty());
}

TEST_F(MemoryLog, recovers_terms_votes_runs_and_memberships) {
    raft::Store first =
        append(1, {entry(1, 1), entry(1, 2, "m", raft::EntryKind::membership), entry(3, 3)});
    first.hard = raft::HardState{Term(3), MemberId(9)};
    store.write(group, std::move(first));
    store.release(group, {Term(1), Index(1)});
    store.crash();
    RecoveredLog found = recovered();
    EXPECT_EQ(found.group, group);
    EXPECT_EQ(found.registration.text(), "registration");
    EXPECT_EQ(found.hard, (raft::HardState{Term(3), MemberId(9)}));
    EXPECT_EQ(found.base, (EntryId{Term(1), Index(1)}));
    EXPECT_EQ(found.last, Index(3));
    EXPECT_EQ(found.runs, (std::vector<raft::TermRun>{{Index(2), Term(1)}, {Index(3), Term(3)}}));
    ASSERT_EQ(found.memberships.size(), 1u);
    EXPECT_EQ(found.memberships[0].payload.text(), "m");
    EXPECT_FALSE(found.damage.has_value());
}

TEST_F(MemoryLog, truncates_before_it_appends_and_resets_to_a_snapshot) {
    store.write(group, append(1, {entry(1, 1, "a"), entry(1, 2, "b"), entry(1, 3, "c")}));
    raft::Store replacing = append(2, {entry(2, 2, "B")});
    replacing.truncate_from = Index(2);
    store.write(group, std::move(replacing));
    auto entries = read(1, 9).value();
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[1], entry(2, 2, "B"));
    raft::Store reset = append(3, {entry(5, 11, "after")});
    reset.reset = EntryId{Term(4), Index(10)};
    store.write(group, std::move(reset));
    EXPECT_EQ(read(2, 11).error().code, Errc::compacted);
    EXPECT_EQ(read(11, 11).value().at(0).payload.text(), "after");
    EXPECT_EQ(read(12, 12).error().code, Errc::not_found);
}

TEST_F(MemoryLog, reads_as_many_bytes_as_asked_but_at_least_one_entry) {
    store.write(group, append(1, {entry(1, 1, "aaaa"), entry(1, 2, "bbbb"), entry(1, 3, "cccc")}));
    EXPECT_EQ(read(1, 3, 0).value().size(), 1u);
    EXPECT_EQ(read(1, 3, 8).value().size(), 2u);
    EXPECT_EQ(read(2, 3, 100).value().size(), 2u);
    store.release(group, {Term(1), Index(2)});
    EXPECT_EQ(read(2, 3).error().code, Errc::compacted);
    EXPECT_EQ(read(3, 3).value().size(), 1u);
}

TEST_F(MemoryLog, never_acknowledges_a_store_that_leaves_a_gap_nor_any_after_it) {
    store.write(group, append(1, {entry(1, 1)}));
    store.write(group, append(2, {entry(1, 3)}));
    store.write(group, append(3, {entry(1, 2)}));
    queue.run();
    EXPECT_EQ(client.tickets, (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(read(1, 9).value().size(), 1u);
}

TEST_F(MemoryLog, registers_updates_and_erases_groups) {
    EXPECT_EQ(create(group).error().code, Errc::group_exists);
    Result<void> missing;
    store.update_registration(GroupId(99), {}, queue, [&](Result<void> r) { missing = r; });
    int calls = 0;
    store.update_registration(group, Bytes::take("new"), queue,
                              [&](Result<void> r) { calls += r.has_value() ? 1 : 0; });
    queue.run();
    EXPECT_EQ(missing.error().code, Errc::no_such_group);
    store.crash();
    EXPECT_EQ(recovered().registration.text(), "new");
    for (int i = 0; i < 2; ++i) {
        store.erase(group, queue, [&](Result<void> r) { calls += r.has_value() ? 1 : 0; });
    }
    queue.run();
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(read(1, 1).error().code, Errc::no_such_group);
    store.crash();
    EXPECT_TRUE(store.take_recovered().empty());
    EXPECT_TRUE(create(group).has_value());
}

TEST_F(MemoryLog, answers_create_only_once_it_is_durable) {
    store.hold();
    EXPECT_EQ(create(GroupId(8)).error().code, Errc::internal);
    store.crash();
    EXPECT_EQ(recovered().group, group);
}

TEST_F(MemoryLog, reports_damage_at_each_start_until_it_is_repaired) {
    store.set_damage(group, {.what = "entries 5 to 9 are gone", .promised = Index(9)});
    for (int i = 0; i < 2; ++i) {
        store.crash();
        RecoveredLog found = recovered();
        ASSERT_TRUE(found.damage.has_value());
        EXPECT_EQ(found.damage->promised, Index(9));
    }
    store.repaired(group);
    store.crash();
    EXPECT_FALSE(recovered().damage.has_value());
}

TEST_F(MemoryLog, says_how_much_room_there_is) {
    EXPECT_EQ(store.space(), Space::plenty);
    store.set_space(Space::low);
    EXPECT_EQ(store.space(), Space::low);
}

// Against a second, plain implementation: a map from index to entry.
TEST_F(MemoryLog, agrees_with_a_plain_map_over_long_random_runs) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        GroupId id(1000 + seed);
        ASSERT_TRUE(create(id).has_value());
        std::map<std::uint64_t, raft::Entry> model;
        std::uint64_t base = 0;
        std::uint64_t last = 0;
        for (std::uint64_t step = 1; step <= 200; ++step) {
            raft::Store next{.ticket = Ticket(step)};
            if (random() % 20 == 0) {
                base = last = last + random() % 5;
                next.reset = EntryId{Term(step), Index(base)};
                model.clear();
            } else if (last > base && random() % 4 == 0) {
                last = base + random() % (last - base);
                next.truncate_from = Index(last + 1);
                model.erase(model.upper_bound(last), model.end());
            }
            for (std::uint64_t n = random() % 5; n > 0; --n) {
                next.entries.push_back(entry(step, ++last, std::to_string(random())));
                model[last] = next.entries.back();
            }
            store.write(id, std::move(next));
            if (last > base && random() % 8 == 0) {
                base += 1 + random() % (last - base);
                store.release(id, {Term(1), Index(base)});
                model.erase(model.begin(), model.upper_bound(base));
            }
        }
        std::vector<raft::Entry> found;
        store.read(id, Index(base + 1), Index(last), 1 << 30, queue, [&](auto r) {
            if (r.has_value()) found = *r;
        });
        queue.run();
        ASSERT_EQ(found.size(), model.size());
        for (const raft::Entry& got : found) EXPECT_EQ(got, model.at(got.id.index.value()));
    }
}

TEST_F(MemoryLog, serves_groups_on_threads_of_their_own) {
    std::vector<std::thread> threads;
    std::array<Queue, 4> queues;
    std::array<Client, 4> clients;
    for (std::uint64_t t = 0; t < 4; ++t) {
        ASSERT_TRUE(create(GroupId(100 + t)).has_value());
        store.attach(GroupId(100 + t), queues[t], clients[t]);
        threads.emplace_back([this, t] {
            for (std::uint64_t i = 1; i <= 500; ++i) {
                store.write(GroupId(100 + t), append(i, {entry(1, i)}));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::uint64_t t = 0; t < 4; ++t) {
        queues[t].run();
        EXPECT_EQ(clients[t].tickets.size(), 500u);
        EXPECT_TRUE(std::ranges::is_sorted(clients[t].tickets));
    }
}

}  // namespace
}  // namespace quorate::storage
