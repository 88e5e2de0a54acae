#include "host/group/command.hpp"
#include "tests/group/host_cluster.hpp"

// A host that stops, dies, and comes back with what its disks hold.
namespace quorate::testing::host_restart_test {
namespace {

using group::ReadLevel;

struct Demo : HostCluster {
    explicit Demo(std::size_t hosts = 3) : HostCluster(hosts) {
        EXPECT_TRUE(create(host(0), "demo", {"h1", "h2", "h3"}).has_value());
        EXPECT_EQ(submit(host(0), "demo", "a"), "applied 1:a");
    }
};

TEST(HostRestart, members_come_back_with_all_that_was_applied) {
    Demo cluster;
    for (TestHost* host : cluster.hosts_up()) host->stop();
    for (const std::string& name : cluster.names()) cluster.host(name).start();
    EXPECT_EQ(cluster.submit(cluster.host("h2"), "demo", "b"), "applied 2:b");
    cluster.scheduler.run_for(1s);
    for (TestHost* host : cluster.hosts_up()) {
        EXPECT_EQ(cluster.query(*host, "demo", ReadLevel::local, "all"), "a,b") << host->name;
    }
}

TEST(HostRestart, members_come_back_after_a_crash) {
    Demo cluster;
    for (TestHost* host : cluster.hosts_up()) host->crash();
    for (const std::string& name : cluster.names()) cluster.host(name).start();
    EXPECT_EQ(cluster.submit(cluster.host("h2"), "demo", "b"), "applied 2:b");
    EXPECT_EQ(cluster.query(cluster.host("h1"), "demo", ReadLevel::linearizable, "all"), "a,b");
}

TEST(HostRestart, stopping_hands_leadership_over) {
    Demo cluster;
    ASSERT_EQ(cluster.leader_of("demo").name, "h1");
    cluster.host("h1").stop();
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    Time before = cluster.scheduler.now();
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "b"))), "applied 2:b");
    EXPECT_LT(cluster.scheduler.now() - before, 100ms) << "nobody waits for an election timeout";
}

TEST(HostRestart, every_open_call_is_answered_when_the_host_stops) {
    Demo cluster(4);
    TestHost& h2 = cluster.host("h2");
    auto port = cluster.open(h2, "demo").value();
    auto elsewhere = cluster.open(cluster.host("h4"), "demo").value();
    // Under way to a leader that does not answer, waiting for none, and an operation half done.
    cluster.isolate("h1");
    auto sent = cluster.start_submit(*port, "b", 60s);
    auto sent_too = cluster.start_submit(*elsewhere, "c", 60s);
    HostCluster::Told<Result<group::GroupLocation>> creating;
    h2.service().create_group({"other", "test", "", {"h1", "h2"}}, cluster.in(60s),
                              cluster.tell(creating, cluster.in(60s)));
    cluster.scheduler.run_for(100ms);
    EXPECT_FALSE(sent.has_value() || creating.has_value());
    h2.stop();
    cluster.host("h4").stop();
    EXPECT_EQ(say(*sent), "unknown member_stopped");
    EXPECT_EQ(say(*sent_too), "unknown member_stopped");
    EXPECT_EQ(name_of_error(*creating), "member_stopped");
    EXPECT_EQ(cluster.answers_missing, 0);
}

TEST(HostRestart, commands_that_wait_for_a_leader_are_not_applied_when_the_host_stops) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    cluster.host("h1").crash();
    cluster.host("h3").crash();
    cluster.scheduler.run_for(3s);
    auto waiting = cluster.start_submit(*port, "b", 60s);
    cluster.host("h2").stop();
    EXPECT_EQ(say(*waiting), "not_applied member_stopped");
}

TEST(HostRestart, a_stopping_host_takes_nothing_more) {
    HostCluster cluster(2);
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2"}).has_value());
    TestHost& h1 = cluster.host("h1");
    auto port = cluster.open(h1, "demo").value();
    bool stopped = false;
    h1.host->stop([&stopped] { stopped = true; });
    EXPECT_EQ(name_of_error(cluster.open(h1, "demo")), "member_stopped");
    EXPECT_EQ(name_of_error(cluster.create(h1, "x", {"h1"})), "member_stopped");
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "x"))), "not_applied member_stopped");
    EXPECT_TRUE(cluster.run_until([&] { return stopped; }));
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "x"))), "not_applied member_stopped");
}

TEST(HostRestart, a_host_that_has_not_started_refuses_calls_and_drops_messages) {
    HostCluster cluster(1);
    TestHost& h1 = cluster.host(0);
    h1.stop();
    group::HostOptions options = cluster.options;
    options.name = "h1";
    group::Host host({h1.log, *h1.snapshots, h1.plugins, h1.plugins, h1}, options,
                     {{h1.threads[0].get(), h1.transports[0].get()}});
    HostCluster::Told<Result<std::shared_ptr<group::GroupPort>>> told;
    host.service().open_group("demo", cluster.in(1s), cluster.tell(told, cluster.in(1s)));
    EXPECT_EQ(name_of_error(cluster.await(told)), "member_stopped");
    host.receiver().receive("h2", group::Request{1, 1s, group::PingRequest{}});
    host.receiver().receive("h2", group::RaftEnvelope{});
}

TEST(HostRestart, snapshots_of_groups_that_are_gone_are_swept) {
    Demo cluster;
    TestHost& h1 = cluster.host("h1");
    GroupId demo = cluster.open(h1, "demo").value()->id();
    HostCluster::Told<Result<std::vector<group::SnapshotSummary>>> told;
    h1.service().take_snapshot("demo", "h1", cluster.in(5s), cluster.tell(told, cluster.in(5s)));
    ASSERT_TRUE(cluster.await(told).has_value());
    storage::SnapshotMeta meta;
    meta.group = GroupId(4711);
    meta.last = {Term(1), Index(1)};
    meta.membership.members.push_back({MemberId(1), "h1", raft::VoteKind::voter, {}});
    meta.machine = "log";
    auto writer = h1.snapshots->begin(meta).value();
    ASSERT_TRUE(writer->write(as_bytes("left by a crash")).has_value());
    ASSERT_TRUE(writer->commit().has_value());
    writer.reset();
    h1.stop();
    h1.start();
    EXPECT_EQ(h1.snapshots->groups().value(), std::vector<GroupId>{demo});
}

TEST(HostRestart, a_registration_that_cannot_be_read_stays_and_hurts_nobody) {
    Demo cluster;
    TestHost& h1 = cluster.host("h1");
    bool created = false;
    h1.log.create(GroupId(4711), Bytes::copy_of("garbage"), *h1.threads[0],
                  [&created](const Result<void>& done) { created = done.has_value(); });
    ASSERT_TRUE(cluster.run_until([&] { return created; }));
    h1.stop();
    h1.start();
    EXPECT_EQ(cluster.submit(h1, "demo", "b"), "applied 2:b");
    h1.stop();
    auto recovered = h1.log.take_recovered();
    EXPECT_EQ(recovered.size(), 2u);
}

TEST(HostRestart, an_erased_member_does_not_come_back) {
    Demo cluster;
    ASSERT_TRUE(cluster.remove(cluster.host("h1"), "demo", "h3").has_value());
    TestHost& h3 = cluster.host("h3");
    EXPECT_TRUE(h3.snapshots->groups().value().empty());
    h3.stop();
    EXPECT_TRUE(h3.log.take_recovered().empty());
}

}  // namespace
}  // namespace quorate::testing::host_restart_test
