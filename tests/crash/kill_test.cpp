#include "tests/crash/kill_fixture.hpp"

#include <algorithm>

// Real processes on real disks, killed with -9 or stopped under load, one way of dying at a time.
namespace quorate::testing {
namespace {

// Within 2 s on a machine that has nothing else to do; the figure is printed.
TEST_F(Kill, writes_are_acknowledged_again_soon_after_the_leaders_death) {
    both_go_on();
    std::size_t leader = cluster_.leader("map");
    cluster_.kill(leader);
    Duration pause = first_write(cluster_.client(), "map");
    std::cout << "first write acknowledged again after " << pause / 1ms << " ms\n";
    cluster_.start(leader);
    check();
}

TEST_F(Kill, all_hosts_at_once_come_back_with_everything_that_was_acknowledged) {
    for (int i = 0; i < 2; ++i) {
        both_go_on();
        cluster_.kill({0, 1, 2});
        cluster_.start({0, 1, 2});
    }
    both_go_on();
    check();
}

TEST_F(Kill, a_leader_that_is_stopped_for_2_s_is_replaced_and_follows_when_it_goes_on) {
    both_go_on();
    std::size_t leader = cluster_.leader("map");
    cluster_.pause(leader);
    auto begin = std::chrono::steady_clock::now();
    Duration pause = first_write(cluster_.client(), "map");
    std::cout << "first write acknowledged again after " << pause / 1ms << " ms\n";
    std::this_thread::sleep_until(begin + 2s);
    cluster_.resume(leader);
    both_go_on();
    check();
}

TEST_F(Kill, a_host_that_was_away_past_the_others_truncation_catches_up_by_snapshot) {
    both_go_on();
    std::size_t away = (cluster_.leader("map") + 1) % cluster_.size();
    cluster_.kill(away);
    map_->wait_for_more(3000);
    cluster_.admin().take_snapshot("map", cluster_.host(cluster_.leader("map")).name, 20s).get();
    cluster_.start(away);
    both_go_on();
    check();
    auto members = cluster_.admin().group_members("map", false, 5s).get().value();
    auto late = std::ranges::find(members, cluster_.host(away).name, &client::MemberAnswer::host);
    ASSERT_NE(late, members.end());
    EXPECT_GT(late->status->snapshot.value(), 0u);
}

// What it had not made durable it had acknowledged to nobody; its own log says why it ended.
TEST_F(Kill, a_host_whose_disk_refuses_a_write_ends_itself_and_nothing_is_lost) {
    for (const char* group : {"map", "ledger"}) {
        both_go_on();
        ClusterHost& host = cluster_.host(cluster_.leader(group));
        host.process->limit_files(64 << 10);
        EXPECT_EQ(host.process->wait(60s), 3) << "quorated's exit code for a disk that failed";
        EXPECT_NE(read_text(host.log).find(" error disk_failed "), std::string::npos);
        both_go_on();
        cluster_.start(cluster_.at(host.name));
    }
    both_go_on();
    check();
}

// The files of the log are as large as they will ever be; where they settle is not.
TEST(KillSettling, a_host_that_cannot_settle_its_log_ends_itself_and_nothing_is_lost) {
    Cluster cluster({.settings = {"snapshot.interval_entries=0"}});
    cluster.install(kv_plugin());
    cluster.create_group("map", "quorate.kv");
    Load load({.endpoints = cluster.endpoints(),
               .group = "map",
               .tongue = &large_kv_tongue(),
               .threads = 2,
               .per_second = 5000});
    std::size_t victim = (cluster.leader("map") + 1) % cluster.size();
    ClusterHost& host = cluster.host(victim);
    host.process->limit_files(1 << 20);
    EXPECT_EQ(host.process->wait(60s), 3) << "quorated's exit code for a disk that failed";
    EXPECT_NE(read_text(host.log).find(" error disk_failed "), std::string::npos);
    cluster.start(victim);
    load.wait_for_more(1000);
    load.stop();
    cluster.wait_equal("map");
    EXPECT_EQ(load.verify(cluster.client()), "");
}

}  // namespace
}  // namespace quorate::testing
