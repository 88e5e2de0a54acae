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
    EXPECT_LT(pause / 1ms, 10'000);
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
    EXPECT_LT(pause / 1ms, 10'000);
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

}  // namespace
}  // namespace quorate::testing
