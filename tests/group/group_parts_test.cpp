#include "host/group/catch_up_pace.hpp"
#include "host/group/command.hpp"
#include "host/group/deadlines.hpp"
#include "host/group/entry_cache.hpp"
#include "host/group/host_entry.hpp"
#include "host/group/outcome_collector.hpp"
#include "host/group/recovery.hpp"
#include "host/group/registration.hpp"
#include "host/group/submissions.hpp"
#include "tests/support/test_scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <quorate/effect.h>
#include <vector>

namespace quorate::group {
namespace {

EntryId id(std::uint64_t term, std::uint64_t index) {
    return {Term(term), Index(index)};
}

raft::Entry entry(std::uint64_t term, std::uint64_t index, std::string_view text = "x") {
    return {id(term, index), raft::EntryKind::command, Bytes::copy_of(text)};
}

raft::Membership three() {
    raft::Membership all;
    for (std::uint64_t i = 1; i <= 3; ++i) {
        all.members.push_back({MemberId(i), "host" + std::to_string(i), raft::VoteKind::voter, {}});
    }
    return all;
}

Registration registration() {
    return {GroupId(7), "demo", Epoch(1), MemberId(2), {"kv", "build", "kv", 3}, three(), {}};
}

// ---- records --------------------------------------------------------------------------------------

TEST(Command, comes_back_as_it_was_made) {
    Bytes payload = make_command({-5}, as_bytes("put a 1"));
    auto parsed = parse_command(payload.view());
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->header.time_ms, -5);
    EXPECT_EQ(as_text(parsed->command), "put a 1");
    EXPECT_TRUE(parse_command(make_command({1}, {}).view())->command.empty());
}

TEST(Command, of_another_version_or_with_reserved_bits_is_not_one) {
    std::string good(make_command({1}, as_bytes("x")).text());
    for (std::size_t i = 0; i < 8; ++i) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 2);
        EXPECT_FALSE(parse_command(as_bytes(bad)).has_value()) << "byte " << i;
    }
    for (std::size_t size = 0; size < command_header_bytes; ++size) {
        EXPECT_FALSE(parse_command(as_bytes(good).first(size)).has_value());
    }
}

TEST(Registration, comes_back_as_it_was_written) {
    Registration written = registration();
    written.recover_past = Index(99);
    EXPECT_EQ(decode_registration(encode(written).view()).value(), written);
    written.standstill = {Index(7), {"one", "two"}, Index(6), 0x123456789abcdef0};
    EXPECT_EQ(decode_registration(encode(written).view()).value(), written);
}

TEST(Registration, that_is_cut_or_longer_is_corrupt) {
    Registration standing_still = registration();
    standing_still.standstill = {Index(7), {"one", "two"}, Index(6), 5};
    for (const Registration& written : {registration(), standing_still}) {
        std::string whole(encode(written).text());
        for (std::size_t size = 1; size < whole.size(); ++size) {
            auto read = decode_registration(as_bytes(whole).first(size));
            ASSERT_FALSE(read.has_value()) << size << " bytes";
            EXPECT_EQ(read.error().code, Errc::corrupt);
        }
        EXPECT_FALSE(decode_registration(as_bytes(whole + "x")).has_value());
        whole[0] = 9;
        EXPECT_EQ(decode_registration(as_bytes(whole)).error().code, Errc::format_unknown);
    }
}

TEST(HostEntry, of_an_unknown_kind_is_not_read) {
    EXPECT_EQ(parse_host_entry(encode(HostEntry::end_of_life).view()), HostEntry::end_of_life);
    EXPECT_FALSE(parse_host_entry(as_bytes(std::string_view("\1\2", 2))).has_value());
    EXPECT_FALSE(parse_host_entry(as_bytes(std::string_view("\2\1", 2))).has_value());
    EXPECT_FALSE(parse_host_entry(as_bytes(std::string_view("\1\1\0", 3))).has_value());
    EXPECT_FALSE(parse_host_entry({}).has_value());
}

// ---- cache ----------------------------------------------------------------------------------------

raft::Store store(std::vector<raft::Entry> entries, std::optional<Index> truncate = {},
                  std::optional<EntryId> reset = {}) {
    raft::Store made;
    made.entries = std::move(entries);
    made.truncate_from = truncate;
    made.reset = reset;
    return made;
}

TEST(EntryCache, follows_appends_truncations_and_resets) {
    EntryCache cache(Index(5));
    cache.follow(store({entry(1, 5), entry(1, 6), entry(1, 7)}));
    EXPECT_TRUE(cache.holds(Index(7)));
    cache.follow(store({entry(2, 6, "new")}, Index(6)));
    EXPECT_EQ(cache.at(Index(6)).payload.text(), "new");
    EXPECT_FALSE(cache.holds(Index(7)));
    cache.follow(store({entry(3, 3)}, Index(3)));  // below all that it holds
    EXPECT_EQ(cache.first(), Index(3));
    EXPECT_EQ(cache.next(), Index(4));
    cache.follow(store({entry(4, 21)}, {}, id(4, 20)));
    EXPECT_EQ(cache.first(), Index(21));
    EXPECT_EQ(cache.next(), Index(22));
}

TEST(EntryCache, refuses_a_gap) {
    EntryCache cache(Index(5));
    EXPECT_THROW(cache.follow(store({entry(1, 6)})), std::logic_error);
}

TEST(EntryCache, drops_the_oldest_but_nothing_at_the_limit) {
    EntryCache cache(Index(1));
    std::string payload(1000, 'x');
    for (std::uint64_t i = 1; i <= 10; ++i) cache.follow(store({entry(1, i, payload)}));
    EXPECT_TRUE(cache.trim(3500, Index(5)));
    EXPECT_EQ(cache.first(), Index(5));
    EXPECT_TRUE(cache.trim(3500, Index(11)));
    EXPECT_EQ(cache.first(), Index(8));
    EXPECT_FALSE(cache.trim(3500, Index(11)));
    EXPECT_LE(cache.bytes(), 3500u);
}

// ---- deadlines ------------------------------------------------------------------------------------

TEST(Deadlines, run_in_the_order_of_their_times_and_only_once) {
    testing::TestScheduler scheduler;
    Deadlines deadlines(scheduler);
    Time now = scheduler.now();
    std::vector<int> ran;
    deadlines.add(now + 30ms, [&] { ran.push_back(3); });
    deadlines.add(now + 10ms, [&] { ran.push_back(1); });
    auto removed = deadlines.add(now + 15ms, [&] { ran.push_back(99); });
    deadlines.add(now + 20ms, [&] { ran.push_back(2); });
    deadlines.remove(removed);
    scheduler.run_for(20ms);
    EXPECT_EQ(ran, (std::vector<int>{1, 2}));
    scheduler.run_for(1s);
    EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
}

TEST(Deadlines, may_be_added_and_removed_by_one_that_runs) {
    testing::TestScheduler scheduler;
    Deadlines deadlines(scheduler);
    Time now = scheduler.now();
    int ran = 0;
    auto other = deadlines.add(now + 10ms, [&] { ran += 100; });
    deadlines.add(now + 5ms, [&] {
        ++ran;
        deadlines.remove(other);
        deadlines.add(now + 7ms, [&] { ++ran; });
    });
    scheduler.run_for(1s);
    EXPECT_EQ(ran, 2);
}

TEST(Deadlines, that_were_cleared_never_run) {
    testing::TestScheduler scheduler;
    Deadlines deadlines(scheduler);
    bool ran = false;
    deadlines.add(scheduler.now() + 5ms, [&] { ran = true; });
    deadlines.clear();
    scheduler.run_for(1s);
    EXPECT_FALSE(ran);
}

// ---- recovery -------------------------------------------------------------------------------------

storage::RecoveredLog log_of(EntryId base, Index last, std::vector<raft::TermRun> runs) {
    storage::RecoveredLog log;
    log.group = GroupId(7);
    log.hard = {Term(9), MemberId(1)};
    log.base = base;
    log.last = last;
    log.runs = std::move(runs);
    return log;
}

storage::SnapshotMeta snapshot_of(EntryId last) {
    storage::SnapshotMeta meta;
    meta.group = GroupId(7);
    meta.last = last;
    meta.membership = three();
    meta.membership.members.pop_back();
    return meta;
}

TEST(Recovery, of_nothing_is_a_fresh_member) {
    Recovery plan = plan_recovery(registration(), std::nullopt, std::nullopt);
    EXPECT_EQ(plan.initial.self, MemberId(2));
    EXPECT_EQ(plan.initial.last, Index());
    EXPECT_EQ(plan.initial.membership, three());
    EXPECT_FALSE(plan.initial.recovering);
    EXPECT_FALSE(plan.reset.has_value());
}

TEST(Recovery, of_a_log_alone_takes_it_whole) {
    auto log = log_of({}, Index(8), {{Index(1), Term(1)}, {Index(5), Term(3)}});
    Recovery plan = plan_recovery(registration(), log, std::nullopt);
    EXPECT_EQ(plan.initial.last, Index(8));
    EXPECT_EQ(plan.initial.runs.size(), 2u);
    EXPECT_EQ(plan.initial.hard, log.hard);
    EXPECT_FALSE(plan.reset.has_value());
}

TEST(Recovery, of_a_log_that_holds_the_snapshots_last_entry_keeps_it) {
    auto log = log_of(id(1, 3), Index(8), {{Index(4), Term(1)}, {Index(6), Term(3)}});
    log.memberships = {entry(1, 4), entry(3, 7)};
    Recovery plan = plan_recovery(registration(), log, snapshot_of(id(3, 6)));
    EXPECT_EQ(plan.initial.base, id(1, 3));
    EXPECT_EQ(plan.initial.snapshot, id(3, 6));
    EXPECT_EQ(plan.initial.membership.members.size(), 2u);
    ASSERT_EQ(plan.initial.memberships.size(), 1u);  // the other is within the snapshot
    EXPECT_EQ(plan.initial.memberships[0].id, id(3, 7));
    EXPECT_FALSE(plan.initial.recovering);
}

TEST(Recovery, of_a_log_that_begins_right_after_the_snapshot_keeps_it) {
    auto log = log_of(id(3, 6), Index(8), {{Index(7), Term(3)}});
    Recovery plan = plan_recovery(registration(), log, snapshot_of(id(3, 6)));
    EXPECT_EQ(plan.initial.last, Index(8));
    EXPECT_FALSE(plan.reset.has_value());
}

TEST(Recovery, drops_a_log_that_ends_before_the_snapshot_or_contradicts_it) {
    for (const auto& log : {log_of({}, Index(5), {{Index(1), Term(1)}}),
                            log_of({}, Index(9), {{Index(1), Term(1)}, {Index(7), Term(2)}}),
                            log_of(id(2, 6), Index(7), {{Index(7), Term(2)}})}) {
        Recovery plan = plan_recovery(registration(), log, snapshot_of(id(3, 6)));
        EXPECT_EQ(plan.reset, id(3, 6));
        EXPECT_EQ(plan.initial.last, Index(6));
        EXPECT_TRUE(plan.initial.runs.empty());
        EXPECT_FALSE(plan.initial.recovering);  // the snapshot is committed and stands for it
    }
}

TEST(Recovery, of_a_log_that_begins_after_the_snapshot_is_damage_and_must_be_remembered) {
    auto log = log_of(id(4, 10), Index(20), {{Index(11), Term(4)}});
    for (auto snapshot :
         {std::optional(snapshot_of(id(3, 6))), std::optional<storage::SnapshotMeta>()}) {
        Recovery plan = plan_recovery(registration(), log, snapshot);
        EXPECT_EQ(plan.reset, snapshot ? id(3, 6) : EntryId{});
        EXPECT_TRUE(plan.initial.recovering);
        EXPECT_EQ(plan.initial.recover_past, Index(20));
        EXPECT_TRUE(plan.forgets);
        EXPECT_FALSE(plan.damage.empty());
    }
}

TEST(Recovery, goes_on_after_a_crash_in_its_midst) {
    Registration remembered = registration();
    remembered.recover_past = Index(20);
    auto log = log_of({}, Index(4), {{Index(1), Term(1)}});
    Recovery plan = plan_recovery(remembered, log, std::nullopt);
    EXPECT_TRUE(plan.initial.recovering);
    EXPECT_EQ(plan.initial.recover_past, Index(20));
    EXPECT_FALSE(plan.forgets);
}

TEST(Recovery, takes_the_stores_word_for_damage) {
    auto log = log_of({}, Index(4), {{Index(1), Term(1)}});
    log.damage = {"a file is gone", Index(30)};
    Recovery plan = plan_recovery(registration(), log, std::nullopt);
    EXPECT_TRUE(plan.initial.recovering);
    EXPECT_EQ(plan.initial.recover_past, Index(30));
    EXPECT_EQ(plan.initial.last, Index(4));
}

// The core enters the snapshot's term itself, and promises nothing in it before it is durable.
TEST(Recovery, claims_no_term_that_is_not_on_disk) {
    auto log = log_of({}, Index(), {});
    log.hard = {Term(2), MemberId(1)};
    Recovery plan = plan_recovery(registration(), log, snapshot_of(id(3, 6)));
    EXPECT_EQ(plan.initial.snapshot, id(3, 6));
    EXPECT_EQ(plan.initial.hard, log.hard);
}

// ---- outcomes -----------------------------------------------------------------------------------

ByteView record_of(const qr_effect& effect) {
    return {reinterpret_cast<const std::byte*>(&effect), sizeof effect};
}

std::vector<machine::Command> two_commands() {
    std::vector<machine::Command> batch(2);
    batch[0].id = id(1, 1);
    batch[1].id = id(1, 2);
    return batch;
}

TEST(OutcomeCollector, answers_a_command_whose_reply_was_deferred_with_a_rejection) {
    ReplyRoom room(std::make_shared<HostMemory>(HostMemory::Limits{}));
    OutcomeCollector outcomes(GroupId(7), room);
    std::vector<machine::Command> batch = two_commands();
    qr_effect deferred{};
    deferred.size = sizeof deferred;
    deferred.kind = QR_EFFECT_DEFER;
    outcomes.begin(batch);
    outcomes.want(0);
    outcomes.effect(0, record_of(deferred));
    outcomes.effect(1, record_of(deferred));
    outcomes.end(2);
    Bytes reply = outcomes.take_reply(0);
    ASSERT_GT(reply.size(), sizeof(qr_rejection));
    EXPECT_EQ(std::memcmp(reply.view().data(), QR_REJECTION_MARK, 8), 0);
    EXPECT_THAT(std::string(reply.text()), ::testing::HasSubstr("deferred its reply"));
    EXPECT_TRUE(outcomes.take_reply(1).empty()) << "nobody waits for it";
    EXPECT_EQ(outcomes.effects(QR_EFFECT_DEFER), 2u);
}

TEST(OutcomeCollector, counts_the_replies_that_somebody_waits_for) {
    ReplyRoom room(std::make_shared<HostMemory>(HostMemory::Limits{}));
    OutcomeCollector outcomes(GroupId(7), room);
    std::vector<machine::Command> batch = two_commands();
    outcomes.begin(batch);
    outcomes.want(1);
    outcomes.reply(0, as_bytes("nobody waits for this"));
    outcomes.reply(1, as_bytes("seven b"));
    outcomes.end(2);
    EXPECT_EQ(outcomes.reply_bytes(), 7u);
    outcomes.begin(batch);
    outcomes.end(2);
    EXPECT_EQ(outcomes.reply_bytes(), 0u);
}

// ---- submissions ----------------------------------------------------------------------------------

// A group may wait long before it proposes; what its clients gave up meanwhile is not kept.
TEST(Submissions, keep_nothing_of_a_command_whose_deadline_passed_before_it_was_proposed) {
    testing::TestScheduler scheduler;
    Deadlines deadlines(scheduler);
    Submissions submissions(scheduler, deadlines, 3s);
    auto owner = std::make_shared<std::string>(1000, 'x');
    int refused = 0;
    for (int i = 0; i < 100; ++i) {
        submissions.add(Bytes(owner, as_bytes(*owner)), scheduler.now() + 5ms,
                        [&refused](const Outcome& outcome) {
                            refused += std::holds_alternative<NotApplied>(outcome) ? 1 : 0;
                        });
    }
    submissions.add(Bytes::copy_of("patient"), scheduler.now() + 1h, [](const Outcome&) {});
    EXPECT_EQ(submissions.queued(), 101u);
    scheduler.run_for(10ms);
    EXPECT_EQ(refused, 100);
    EXPECT_EQ(owner.use_count(), 1);
    EXPECT_EQ(submissions.queued(), 1u);
    auto batch = submissions.take_batch(1);
    ASSERT_TRUE(batch.has_value());
    ASSERT_EQ(batch->batch.size(), 1u);
    EXPECT_EQ(batch->batch.front().payload.text(), "patient");
    EXPECT_EQ(submissions.queued(), 0u);
}

// ---- catching up ----------------------------------------------------------------------------------

class CatchUpPaceTest : public ::testing::Test {
 protected:
    // The read that is asked for `after` the one before it, in ms, with so many entries sent and come.
    Duration next(int after, std::uint64_t sent, std::uint64_t come) {
        read_.asked += 1ms * after;
        read_.from = read_.from + sent;
        read_.last = read_.last + come;
        return pace_.next_pause(peer_, read_);
    }

    const MemberId peer_{2};
    CatchUpPace::Read read_{Time(1h), Index(100), Index(10'000), true};
    CatchUpPace pace_;
};

TEST_F(CatchUpPaceTest, each_read_waits_four_times_as_long_as_the_one_before_it_took) {
    EXPECT_EQ(next(0, 0, 0), 0ms) << "the first";
    EXPECT_EQ(next(5, 100, 0), 20ms);
    EXPECT_EQ(next(20 + 4, 100, 10), 16ms) << "what it waited is not counted again";
}

TEST_F(CatchUpPaceTest, waits_only_as_long_as_the_peer_still_comes_nearer) {
    next(0, 0, 0);
    EXPECT_EQ(next(8, 100, 50), 6ms) << "87 come in 14 ms";
    EXPECT_EQ(next(6 + 8, 100, 175), 0ms) << "100 come in 8 ms";
    EXPECT_EQ(next(8, 100, 500), 0ms);
}

TEST_F(CatchUpPaceTest, nothing_waits_without_commands) {
    read_.has_work = false;
    next(0, 0, 0);
    EXPECT_EQ(next(5, 100, 0), 0ms);
    read_.has_work = true;
    EXPECT_EQ(next(5, 100, 0), 20ms);
}

TEST_F(CatchUpPaceTest, what_is_no_stream_of_reads_does_not_wait) {
    next(0, 0, 0);
    EXPECT_EQ(next(200, 100, 0), 0ms) << "a slow peer, or another absence";
    EXPECT_EQ(next(5, 0, 0), 0ms) << "the same again: it got lost";
    read_.last = Index(500);
    EXPECT_EQ(next(5, 100, 0), 0ms) << "another leadership";
    read_.from = Index(10);
    EXPECT_EQ(next(5, 0, 0), 0ms) << "further back";
}

// A million entries behind, with reads of a thousand that take 10 ms, while so many come in the same time.
TEST_F(CatchUpPaceTest, whoever_would_be_level_unpaced_is_level_paced) {
    for (std::uint64_t come : {0u, 100u, 300u, 500u, 600u, 740u, 800u}) {
        CatchUpPace pace;
        CatchUpPace::Read read{Time(1h), Index(1), Index(1'000'000), true};
        Duration left = 5min;
        while (read.from < read.last && left > 0ns) {
            Duration cycle = pace.next_pause(peer_, read) + 10ms;
            read.asked += cycle;
            read.from = read.from + 1000;
            read.last = read.last + come * static_cast<std::uint64_t>(cycle / 10us) / 1000;
            left -= cycle;
        }
        EXPECT_GE(read.from, read.last) << come << " of 1000";
    }
}

}  // namespace
}  // namespace quorate::group
