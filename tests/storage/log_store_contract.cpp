#include "tests/storage/log_store_contract.hpp"

#include <gmock/gmock.h>

namespace quorate::storage {
namespace {

using ::testing::ElementsAre;

raft::Store truncating(std::uint64_t from, std::vector<raft::Entry> entries) {
    raft::Store store;
    store.truncate_from = Index(from);
    store.entries = std::move(entries);
    return store;
}

raft::Store voting(std::uint64_t term, std::uint64_t vote) {
    raft::Store store;
    store.hard = raft::HardState{Term(term), MemberId(vote)};
    return store;
}

TEST_P(LogStoreContract, a_new_store_has_no_groups) {
    EXPECT_TRUE(host->store().take_recovered().empty());
    host->reopen();
    EXPECT_TRUE(host->store().take_recovered().empty());
}

TEST_P(LogStoreContract, a_created_group_is_found_with_its_registration) {
    GroupOf group = new_group(7);
    auto found = recover(GroupId(7));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->registration.text(), "registration of 7");
    EXPECT_EQ(found->base, EntryId());
    EXPECT_EQ(found->last, Index());
    EXPECT_EQ(found->hard, raft::HardState());
    EXPECT_FALSE(found->damage);
}

TEST_P(LogStoreContract, a_group_cannot_be_created_twice) {
    GroupOf group = new_group(7);
    auto again = group.create("another");
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code, Errc::group_exists);
    EXPECT_EQ(recover(GroupId(7))->registration.text(), "registration of 7");
}

TEST_P(LogStoreContract, a_registration_can_be_replaced) {
    GroupOf group = new_group(7);
    ASSERT_TRUE(group.update("newer").has_value());
    EXPECT_EQ(recover(GroupId(7))->registration.text(), "newer");
}

TEST_P(LogStoreContract, what_was_reported_durable_is_found_again) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 3, 1);
    group.append(4, 4, 2);
    ASSERT_TRUE(group.flush());
    auto found = recover(GroupId(1));
    EXPECT_EQ(found->last, Index(4));
    EXPECT_THAT(found->runs,
                ElementsAre(raft::TermRun{Index(1), Term(1)}, raft::TermRun{Index(4), Term(2)}));
    EXPECT_THAT(group.read_texts(1, 4),
                ElementsAre("1/1:g1t1", "2/1:g2t1", "3/1:g3t1", "4/2:g4t2"));
}

TEST_P(LogStoreContract, the_newest_vote_is_found_again) {
    GroupOf group = new_group(1);
    group.attach();
    group.write(voting(4, 0));
    group.write(voting(5, 77));
    ASSERT_TRUE(group.flush());
    EXPECT_EQ(recover(GroupId(1))->hard, (raft::HardState{Term(5), MemberId(77)}));
}

TEST_P(LogStoreContract, a_store_with_nothing_in_it_is_reported_too) {
    GroupOf group = new_group(1);
    group.attach();
    group.write({});
    EXPECT_TRUE(group.flush());
}

TEST_P(LogStoreContract, entries_are_read_before_they_are_durable) {
    GroupOf group = new_group(1);
    group.append(1, 2, 1);
    EXPECT_THAT(group.read_texts(1, 2), ElementsAre("1/1:g1t1", "2/1:g2t1"));
}

TEST_P(LogStoreContract, a_read_is_bounded_by_bytes_but_gives_one_entry) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 10, 1, 100);
    ASSERT_TRUE(group.flush());
    EXPECT_EQ(group.read(1, 10, 350)->size(), 3u);
    EXPECT_EQ(group.read(1, 10, 0)->size(), 1u);
    EXPECT_EQ(group.read(9, 10)->size(), 2u);
}

TEST_P(LogStoreContract, a_truncated_tail_does_not_come_back) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 5, 1);
    group.write(truncating(3, {entry(3, 2, "new")}));
    ASSERT_TRUE(group.flush());
    EXPECT_THAT(group.read_texts(1, 9), ElementsAre("1/1:g1t1", "2/1:g2t1", "3/2:new"));
    auto found = recover(GroupId(1));
    EXPECT_EQ(found->last, Index(3));
    EXPECT_THAT(found->runs,
                ElementsAre(raft::TermRun{Index(1), Term(1)}, raft::TermRun{Index(3), Term(2)}));
    EXPECT_THAT(group.read_texts(1, 3), ElementsAre("1/1:g1t1", "2/1:g2t1", "3/2:new"));
}

TEST_P(LogStoreContract, a_whole_log_can_be_truncated) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 5, 1);
    group.write(truncating(1, {}));
    ASSERT_TRUE(group.flush());
    auto found = recover(GroupId(1));
    EXPECT_EQ(found->last, Index());
    EXPECT_TRUE(found->runs.empty());
}

TEST_P(LogStoreContract, released_entries_are_gone_and_the_rest_stays) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 5, 1);
    ASSERT_TRUE(group.flush());
    group.release(3, 1);
    auto refused = group.read(3, 5);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::compacted);
    EXPECT_THAT(group.read_texts(4, 5), ElementsAre("4/1:g4t1", "5/1:g5t1"));
    group.append(6, 6, 1);
    ASSERT_TRUE(group.flush());
    auto found = recover(GroupId(1));
    EXPECT_EQ(found->base, (EntryId{Term(1), Index(3)}));
    EXPECT_EQ(found->last, Index(6));
    EXPECT_THAT(found->runs, ElementsAre(raft::TermRun{Index(4), Term(1)}));
    EXPECT_THAT(group.read_texts(4, 6), ElementsAre("4/1:g4t1", "5/1:g5t1", "6/1:g6t1"));
}

TEST_P(LogStoreContract, a_reset_replaces_the_log) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 5, 1);
    raft::Store store;
    store.reset = EntryId{Term(3), Index(100)};
    store.entries = {entry(101, 4, "after")};
    group.write(std::move(store));
    ASSERT_TRUE(group.flush());
    auto found = recover(GroupId(1));
    EXPECT_EQ(found->base, (EntryId{Term(3), Index(100)}));
    EXPECT_EQ(found->last, Index(101));
    EXPECT_THAT(group.read_texts(101, 101), ElementsAre("101/4:after"));
}

TEST_P(LogStoreContract, membership_entries_are_listed) {
    GroupOf group = new_group(1);
    group.attach();
    raft::Store store;
    store.entries = {entry(1, 1, "a"), entry(2, 1, "members", raft::EntryKind::membership),
                     entry(3, 1, "b")};
    group.write(std::move(store));
    ASSERT_TRUE(group.flush());
    auto found = recover(GroupId(1));
    ASSERT_EQ(found->memberships.size(), 1u);
    EXPECT_EQ(found->memberships[0], entry(2, 1, "members", raft::EntryKind::membership));
    group.attach();
    group.client = {};
    group.ticket = {};
    group.write(truncating(2, {}));
    ASSERT_TRUE(group.flush());
    EXPECT_TRUE(recover(GroupId(1))->memberships.empty());
}

TEST_P(LogStoreContract, an_erased_group_vanishes_and_the_others_stay) {
    GroupOf one = new_group(1);
    GroupOf two = new_group(2);
    two.attach();
    one.append(1, 3, 1);
    two.append(1, 3, 1);
    ASSERT_TRUE(two.flush());
    ASSERT_TRUE(one.erase().has_value());
    EXPECT_TRUE(one.erase().has_value()) << "twice is as good as once";
    EXPECT_FALSE(recover(GroupId(1)));
    EXPECT_EQ(two.read_texts(1, 3).size(), 3u);
}

TEST_P(LogStoreContract, groups_do_not_mix) {
    std::vector<std::unique_ptr<GroupOf>> groups;
    for (std::uint64_t id = 1; id <= 20; ++id) {
        groups.push_back(std::make_unique<GroupOf>(new_group(id)));
        groups.back()->attach();
    }
    for (std::uint64_t i = 1; i <= 50; ++i) {
        for (auto& group : groups) group->append(i, i, group->id().value());
    }
    for (auto& group : groups) ASSERT_TRUE(group->flush());
    host->reopen();
    EXPECT_EQ(host->store().take_recovered().size(), 20u);
    for (auto& group : groups) {
        auto found = group->read_texts(1, 50);
        ASSERT_EQ(found.size(), 50u);
        EXPECT_EQ(found[49], "50/" + std::to_string(group->id().value()) + ":g50t" +
                                 std::to_string(group->id().value()));
    }
}

TEST_P(LogStoreContract, a_detached_client_is_not_called) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 1, 1);
    host->store().detach(GroupId(1));
    GroupOf other = new_group(2);  // by now the write is durable
    EXPECT_EQ(group.client.reports, 0);
}

TEST_P(LogStoreContract, tickets_are_reported_up_to_the_newest_and_in_order) {
    GroupOf group = new_group(1);
    group.attach();
    for (std::uint64_t i = 1; i <= 100; ++i) group.append(i, i, 1);
    EXPECT_TRUE(group.flush());
    EXPECT_EQ(group.client.last, Ticket(100));
}

TEST_P(LogStoreContract, a_large_entry_is_kept_whole) {
    GroupOf group = new_group(1);
    group.attach();
    std::string large = GroupOf::payload(1, 1, 300 * 1024);
    raft::Store store;
    store.entries = {entry(1, 1, large), entry(2, 1, "small")};
    group.write(std::move(store));
    ASSERT_TRUE(group.flush());
    host->reopen();
    auto found = group.read(1, 2);
    ASSERT_TRUE(found.has_value()) << to_string(found.error());
    EXPECT_EQ((*found)[0].payload.text(), large);
    EXPECT_EQ((*found)[1].payload.text(), "small");
}

TEST_P(LogStoreContract, a_store_that_leaves_a_gap_is_never_reported) {
    GroupOf group = new_group(1);
    group.attach();
    group.append(1, 1, 1);
    ASSERT_TRUE(group.flush());
    group.append(3, 3, 1);
    GroupOf other = new_group(2);
    EXPECT_EQ(group.client.last, Ticket(1));
    EXPECT_EQ(recover(GroupId(1))->last, Index(1));
}

TEST_P(LogStoreContract, a_long_log_survives_many_reopenings) {
    GroupOf group = new_group(1);
    std::uint64_t last = 0;
    for (int round = 0; round < 5; ++round) {
        group.client = {};
        group.ticket = {};
        group.attach();
        for (int i = 0; i < 40; ++i, ++last) group.append(last + 1, last + 1, 1, 200);
        ASSERT_TRUE(group.flush());
        auto found = recover(GroupId(1));
        ASSERT_EQ(found->last, Index(last));
        ASSERT_FALSE(found->damage) << found->damage->what;
        auto entries = group.read(1, last);
        ASSERT_TRUE(entries.has_value()) << to_string(entries.error());
        ASSERT_EQ(entries->size(), last);
        for (std::uint64_t i = 1; i <= last; ++i) {
            ASSERT_EQ((*entries)[i - 1].payload.text(), GroupOf::payload(i, 1, 200));
        }
    }
}

}  // namespace
}  // namespace quorate::storage
