#include "host/raft/core.hpp"

#include "host/base/check.hpp"

#include <gtest/gtest.h>

// What scripts cannot show, since a broken invariant ends them.
namespace quorate::raft {
namespace {

Core leader_of_one_term() {
    Initial initial{.group = GroupId(1), .epoch = Epoch(1), .self = MemberId(1)};
    for (std::uint64_t id = 1; id <= 3; ++id)
        initial.membership.members.push_back({MemberId(id), "h", VoteKind::voter, {}});
    Core core({.pre_vote = false}, std::move(initial), 1, Time{} + 1s);
    core.step(Campaign{});
    core.step(Stored{core.take().store->ticket});
    VoteReply vote{.term = Term(1), .granted = true};
    core.step(Receive{MemberId(2), MemberId(1), Epoch(1), vote});
    return core;
}

// ra: leader_heartbeat. The driver fences the member: Election Safety is broken, and going on could
// only make it worse.
TEST(Core, breaks_when_another_leads_its_own_term) {
    Core core = leader_of_one_term();
    ASSERT_EQ(core.role(), Role::leader);
    AppendEntries other{.term = Term(1), .round = 1};
    EXPECT_THROW(core.step(Receive{MemberId(3), MemberId(1), Epoch(1), other}), BrokenInvariant);
}

TEST(Core, breaks_when_a_store_is_reported_that_it_never_made) {
    Core core = leader_of_one_term();
    EXPECT_THROW(core.step(Stored{Ticket(99)}), BrokenInvariant);
}

TEST(Core, breaks_when_a_snapshot_covers_what_is_not_committed) {
    Core core = leader_of_one_term();
    Compacted ahead{.snapshot = {Term(1), Index(1)}, .membership = core.membership()};
    EXPECT_THROW(core.step(ahead), BrokenInvariant);
}

TEST(Core, of_equal_seed_and_inputs_puts_out_the_same) {
    Core one = leader_of_one_term(), other = leader_of_one_term();
    EXPECT_EQ(one.next_deadline(), other.next_deadline());
    Output a = one.take(), b = other.take();
    ASSERT_EQ(a.sends.size(), b.sends.size());
    for (std::size_t i = 0; i < a.sends.size(); ++i) {
        EXPECT_EQ(a.sends[i].to, b.sends[i].to);
        EXPECT_EQ(a.sends[i].message, b.sends[i].message);
    }
}

}  // namespace
}  // namespace quorate::raft
