#include "tests/group/group_fixture.hpp"

#include <algorithm>

namespace quorate::testing {
namespace {

using group::MemberState;
using LaterSnapshot = TestCluster::Later<Result<group::SnapshotSummary>>;

LaterSnapshot take(TestMember& member) {
    LaterSnapshot later;
    member.group->take_snapshot(TestCluster::into(later));
    return later;
}

group::GroupOptions eager_options(std::uint64_t interval = 20, std::uint64_t retained = 5) {
    auto options = TestCluster::fast_options();
    options.snapshot_interval_entries = interval;
    options.retained_entries = retained;
    return options;
}

std::vector<std::string> snapshot_files(TestMember& member) {
    std::vector<std::string> found;
    for (const std::string& path : member.files.all_files()) {
        if (path.ends_with("/snapshot")) found.push_back(path);
    }
    return found;
}

TEST(Snapshot, that_is_asked_for_truncates_the_log_and_serves_the_restart) {
    auto options = TestCluster::fast_options();
    options.retained_entries = 3;
    TestCluster cluster(1, options);
    cluster.apply_many(30, "c");
    TestMember& only = cluster.leader();
    auto taken = take(only);
    ASSERT_TRUE(cluster.await(taken).has_value());
    Index applied = only.status().applied;
    EXPECT_EQ((*taken)->last.index, applied);
    EXPECT_EQ((*taken)->machine, "log");
    EXPECT_EQ(only.status().snapshot, applied);
    EXPECT_EQ(only.status().first, applied - 3);
    cluster.apply_many(10, "d");
    std::uint64_t hash = only.status().outcome_hash;
    only.crash();
    only.start();
    cluster.leader();
    EXPECT_EQ(only.ask("count"), "40");
    EXPECT_EQ(only.status().outcome_hash, hash);
    EXPECT_EQ(only.status().snapshot, applied);
    EXPECT_LT(only.status().commands, 20u);  // the others came with the snapshot
}

TEST(Snapshot, is_taken_by_itself_and_old_ones_go) {
    TestCluster cluster(3, eager_options());
    for (int round = 0; round < 10; ++round) cluster.apply_many(20, "c");
    cluster.expect_agreement();
    for (std::size_t i = 0; i < 3; ++i) {
        TestMember& member = cluster.member(i);
        EXPECT_GT(member.status().snapshot, Index(150));
        EXPECT_GT(member.status().first, Index(140));
        EXPECT_EQ(snapshot_files(member).size(), cluster.options.snapshots_kept);
        TestCluster::Later<Result<std::vector<group::SnapshotSummary>>> listed;
        member.group->list_snapshots(TestCluster::into(listed));
        ASSERT_TRUE(cluster.await(listed).has_value());
        EXPECT_EQ((*listed)->size(), 2u);
        EXPECT_EQ((*listed)->front().last.index, member.status().snapshot);
        EXPECT_EQ((*listed)->front().host, member.host);
    }
}

TEST(Snapshot, of_a_state_that_has_one_is_not_taken_again) {
    TestCluster cluster(1);
    cluster.apply("a");
    EntryId first = (*cluster.await(take(cluster.leader()))).last;
    EXPECT_EQ((*cluster.await(take(cluster.leader()))).last, first);
    EXPECT_EQ(snapshot_files(cluster.leader()).size(), 1u);
}

TEST(Snapshot, is_taken_while_commands_are_applied) {
    TestCluster cluster(3);
    cluster.apply_many(10, "c");
    TestMember& leader = cluster.leader();
    cluster.scheduler.hold_background();
    auto taken = take(leader);
    Index at = leader.status().applied;
    cluster.apply_many(10, "d");
    EXPECT_EQ(cluster.await(take(leader)).error().code, Errc::snapshot_busy);
    EXPECT_FALSE(taken.has_value());
    cluster.scheduler.resume_background();
    ASSERT_TRUE(cluster.await(taken).has_value());
    EXPECT_EQ((*taken)->last.index, at);
    EXPECT_EQ(leader.controls->views_open, 0);
}

TEST(Snapshot, that_cannot_be_written_is_told_and_harms_nothing) {
    TestCluster cluster(1);
    cluster.apply("a");
    TestMember& only = cluster.leader();
    only.files.fail_operation(1);
    EXPECT_FALSE(cluster.await(take(only)).has_value());
    only.files.heal();
    EXPECT_EQ(cluster.apply("b"), "2:b");
    EXPECT_TRUE(cluster.await(take(only)).has_value());
}

TEST(Snapshot, and_tail_bring_back_a_follower_whose_entries_are_gone) {
    TestCluster cluster(3, eager_options());
    TestMember& away = *cluster.follower();
    away.crash();
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    away.start();
    // The load goes on while it catches up.
    for (int round = 0; round < 5; ++round) cluster.apply_many(7, "d");
    cluster.expect_agreement();
    EXPECT_GT(away.status().snapshot, Index(50));
    EXPECT_LT(away.status().commands, 100u);
}

TEST(Snapshot, is_not_needed_after_a_short_absence) {
    TestCluster cluster(3, eager_options(20, 1000));
    TestMember& away = *cluster.follower();
    away.crash();
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    bool fetched = false;
    cluster.lose = [&](const std::string&, const std::string&, const group::PeerMessage& m) {
        fetched |= std::holds_alternative<group::SnapshotFetch>(m);
        return false;
    };
    away.start();
    cluster.expect_agreement();
    EXPECT_FALSE(fetched);
}

TEST(Snapshot, state_hash_is_equal_on_all_members_at_one_index) {
    TestCluster cluster(3);
    cluster.apply_many(25, "c");
    cluster.expect_agreement();
    std::set<std::string> hashes;
    for (std::size_t i = 0; i < 3; ++i) {
        TestCluster::Later<Result<group::MemberStatus>> later;
        cluster.member(i).group->status_with_state_hash(TestCluster::into(later));
        ASSERT_TRUE(cluster.await(later).has_value());
        ASSERT_TRUE((*later)->state_hash.has_value());
        EXPECT_EQ((*later)->state_hash->size(), 32u);
        hashes.insert(*(*later)->state_hash);
    }
    EXPECT_EQ(hashes.size(), 1u);
}

// ---- transfer -------------------------------------------------------------------------------------

// A group whose leader holds a large snapshot and whose first follower lies behind it, down.
struct Lagging {
    explicit Lagging(std::size_t pad = 100'000) : cluster(3, options()), away(*cluster.follower()) {
        for (std::size_t i = 0; i < 3; ++i) cluster.member(i).controls->save_pad = pad;
        away.crash();
        for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    }
    static group::GroupOptions options() {
        auto chosen = eager_options();
        chosen.snapshot_piece_bytes = 1000;
        chosen.snapshot_piece_timeout = 200ms;
        return chosen;
    }
    // Sees every piece on its way to the follower; true loses it.
    void watch_pieces(std::function<bool(const group::SnapshotPiece&)> see) {
        cluster.lose = [this, see = std::move(see)](const std::string&, const std::string& to,
                                                    const group::PeerMessage& m) {
            auto* piece = std::get_if<group::SnapshotPiece>(&m);
            return piece != nullptr && to == away.host && see(*piece);
        };
    }
    TestCluster cluster;
    TestMember& away;
};

TEST(SnapshotTransfer, asks_again_for_what_is_lost) {
    Lagging lagging;
    int pieces = 0;
    lagging.watch_pieces([&](const group::SnapshotPiece&) { return ++pieces % 7 == 0; });
    lagging.away.start();
    lagging.cluster.expect_agreement();
    EXPECT_GT(pieces, 100);
}

TEST(SnapshotTransfer, keeps_a_window_of_pieces_under_way) {
    Lagging lagging;
    std::uint64_t asked_ahead = 0;
    std::uint64_t delivered = 0;
    lagging.cluster.lose = [&](const std::string&, const std::string&,
                               const group::PeerMessage& m) {
        if (auto* fetch = std::get_if<group::SnapshotFetch>(&m)) {
            asked_ahead = std::max(asked_ahead, fetch->offset - std::min(fetch->offset, delivered));
        } else if (auto* piece = std::get_if<group::SnapshotPiece>(&m)) {
            delivered = std::max(delivered, piece->offset);
        }
        return false;
    };
    lagging.away.start();
    lagging.cluster.expect_agreement();
    EXPECT_GE(asked_ahead, 1000u);
    EXPECT_LE(asked_ahead, 5000u);
}

TEST(SnapshotTransfer, resumes_where_a_crash_of_the_receiver_interrupted_it) {
    Lagging lagging;
    std::uint64_t reached = 0;
    lagging.watch_pieces([&](const group::SnapshotPiece& piece) {
        reached = std::max(reached, piece.offset);
        return reached > 50'000;
    });
    lagging.away.start();
    ASSERT_TRUE(lagging.cluster.run_until([&] { return reached > 50'000; }));
    lagging.cluster.scheduler.run_for(1s);
    lagging.away.crash();
    std::optional<std::uint64_t> resumed;
    lagging.watch_pieces([&](const group::SnapshotPiece& piece) {
        if (!resumed) resumed = piece.offset;
        return false;
    });
    lagging.away.start();
    lagging.cluster.expect_agreement();
    ASSERT_TRUE(resumed.has_value());
    EXPECT_GT(*resumed, 40'000u);
}

TEST(SnapshotTransfer, goes_on_from_a_new_leader_when_the_sender_dies) {
    Lagging lagging;
    std::uint64_t reached = 0;
    lagging.watch_pieces([&](const group::SnapshotPiece& piece) {
        reached = std::max(reached, piece.offset);
        return false;
    });
    TestMember& old = lagging.cluster.leader();
    lagging.away.start();
    ASSERT_TRUE(lagging.cluster.run_until([&] { return reached > 50'000; }));
    old.crash();
    lagging.cluster.run_until([&] { return false; }, 5s);
    old.start();
    lagging.cluster.expect_agreement();
}

TEST(SnapshotTransfer, survives_newer_snapshots_of_the_sender) {
    Lagging lagging;
    std::uint64_t total = 0;
    int pieces = 0;
    lagging.watch_pieces([&](const group::SnapshotPiece& piece) {
        total = std::max(total, piece.total);
        return ++pieces % 3 == 0;  // slow
    });
    lagging.away.start();
    for (int round = 0; round < 20; ++round) lagging.cluster.apply_many(20, "d");
    lagging.cluster.expect_agreement();
    EXPECT_GT(total, 100'000u);
}

TEST(SnapshotTransfer, goes_before_a_snapshot_that_the_receiver_takes_itself) {
    TestCluster cluster(3, eager_options());
    cluster.apply_many(10, "c");
    cluster.expect_agreement();
    TestMember& away = *cluster.follower();
    cluster.isolate(away);
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "d");
    cluster.scheduler.hold_background();
    auto own = take(away);
    cluster.heal();
    cluster.scheduler.run_for(3s);
    EXPECT_FALSE(own.has_value());
    cluster.scheduler.resume_background();
    EXPECT_EQ(cluster.await(own).error().code, Errc::cancelled);
    cluster.expect_agreement();
    EXPECT_GT(away.status().snapshot, Index(50));
    EXPECT_EQ(away.controls->views_open, 0);
}

// ---- damage ---------------------------------------------------------------------------------------

TEST(Damage, of_the_newest_snapshot_is_made_good_by_the_leader) {
    TestCluster cluster(3, eager_options());
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    cluster.expect_agreement();
    TestMember& hurt = *cluster.follower();
    hurt.crash();
    for (const std::string& path : snapshot_files(hurt)) {
        hurt.files.flip_bit(path, hurt.files.size_of(path) / 2, 3);
    }
    hurt.start();
    cluster.scheduler.run_ready();
    EXPECT_EQ(hurt.status().state, MemberState::recovering);
    cluster.expect_agreement();
    EXPECT_TRUE(cluster.run_until([&] { return hurt.status().state == MemberState::running; }));
}

TEST(Damage, is_remembered_by_a_member_that_crashes_before_it_is_whole) {
    TestCluster cluster(3, eager_options());
    for (int round = 0; round < 5; ++round) cluster.apply_many(20, "c");
    cluster.expect_agreement();
    TestMember& hurt = *cluster.follower();
    hurt.crash();
    for (const std::string& path : snapshot_files(hurt)) {
        hurt.files.flip_bit(path, hurt.files.size_of(path) / 2, 3);
    }
    cluster.isolate(hurt);
    hurt.start();
    cluster.scheduler.run_for(10s);
    EXPECT_EQ(hurt.status().state, MemberState::recovering);
    hurt.crash();
    hurt.start();
    cluster.scheduler.run_for(10s);
    EXPECT_EQ(hurt.status().state, MemberState::recovering);
    EXPECT_NE(hurt.status().role, raft::Role::candidate);
    cluster.heal();
    cluster.expect_agreement();
    ASSERT_TRUE(cluster.run_until([&] { return hurt.status().state == MemberState::running; }));
    cluster.scheduler.run_ready();
    hurt.crash();
    hurt.start();
    cluster.scheduler.run_ready();
    EXPECT_EQ(hurt.status().state, MemberState::running);
}

TEST(Damage, that_the_log_store_reports_keeps_a_member_from_voting_until_it_caught_up) {
    TestCluster cluster(3);
    cluster.apply_many(20, "c");
    cluster.expect_agreement();
    TestMember& leader = cluster.leader();
    TestMember& hurt = *cluster.follower();
    Index promised = hurt.status().last;
    hurt.crash();
    hurt.log.set_damage(TestCluster::group_id, {"a test says so", promised});
    leader.crash();
    hurt.start();
    // One healthy voter and one that may not vote: nobody can be elected.
    cluster.scheduler.run_for(20s);
    for (std::size_t i = 0; i < 3; ++i) {
        if (!cluster.member(i).is_up()) continue;
        EXPECT_FALSE(cluster.member(i).group->is_leader());
    }
    leader.start();
    cluster.expect_agreement();
    ASSERT_TRUE(cluster.run_until([&] { return hurt.status().state == MemberState::running; }));
    cluster.apply("more");
    hurt.crash();
    hurt.start();
    cluster.scheduler.run_ready();
    EXPECT_EQ(hurt.status().state, MemberState::running);
}

TEST(Damage, does_not_pass_for_a_log_that_a_received_snapshot_replaced) {
    Lagging lagging(0);
    // The snapshot is in place, but the log is not yet begun anew after it.
    lagging.away.start();
    ASSERT_TRUE(lagging.cluster.run_until([&] { return !snapshot_files(lagging.away).empty(); }));
    lagging.away.log.hold();
    lagging.cluster.scheduler.run_for(50ms);
    lagging.away.crash();
    lagging.away.log.resume();
    lagging.away.start();
    lagging.cluster.scheduler.run_ready();
    EXPECT_NE(lagging.away.status().state, MemberState::recovering);
    lagging.cluster.expect_agreement();
}

}  // namespace
}  // namespace quorate::testing
