#include "host/group/command.hpp"
#include "tests/group/host_cluster.hpp"

// Commands and queries, through whichever host a client happens to talk to.
namespace quorate::testing::host_commands_test {
namespace {

using group::ReadLevel;

struct Demo : HostCluster {
    explicit Demo(std::size_t hosts = 3) : HostCluster(hosts) {
        auto made = create(host(0), "demo", {"h1", "h2", "h3"});
        EXPECT_TRUE(made.has_value());
    }
    std::string count() { return query(leader_of("demo"), "demo", ReadLevel::leader, "count"); }
};

TEST(HostCommands, are_taken_by_every_host) {
    Demo cluster;
    EXPECT_EQ(cluster.submit(cluster.host("h1"), "demo", "a"), "applied 1:a");
    EXPECT_EQ(cluster.submit(cluster.host("h2"), "demo", "b"), "applied 2:b");
    EXPECT_EQ(cluster.submit(cluster.host("h3"), "demo", "c"), "applied 3:c");
}

TEST(HostCommands, are_taken_by_a_host_without_a_member) {
    Demo cluster(4);
    EXPECT_EQ(cluster.submit(cluster.host("h4"), "demo", "a"), "applied 1:a");
    EXPECT_EQ(cluster.query(cluster.host("h4"), "demo", ReadLevel::linearizable, "all"), "a");
    EXPECT_EQ(cluster.query(cluster.host("h4"), "demo", ReadLevel::leader, "all"), "a");
    EXPECT_EQ(cluster.query(cluster.host("h4"), "demo", ReadLevel::local, "count"), "1");
}

TEST(HostCommands, queries_of_every_level_are_taken_by_every_host) {
    Demo cluster;
    ASSERT_EQ(cluster.submit(cluster.host("h3"), "demo", "a"), "applied 1:a");
    for (TestHost* host : cluster.hosts_up()) {
        EXPECT_EQ(cluster.query(*host, "demo", ReadLevel::linearizable, "all"), "a") << host->name;
        EXPECT_EQ(cluster.query(*host, "demo", ReadLevel::leader, "all"), "a") << host->name;
        EXPECT_EQ(cluster.query(*host, "demo", ReadLevel::local, "count"), "1") << host->name;
        EXPECT_EQ(cluster.query(*host, "demo", ReadLevel::leader, "throw"), "query_failed");
    }
}

TEST(HostCommands, a_port_follows_the_leader) {
    Demo cluster(4);
    auto port = cluster.open(cluster.host("h4"), "demo").value();
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "a"))), "applied 1:a");
    cluster.host("h1").stop();
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "b"))), "applied 2:b");
    EXPECT_NE(cluster.leader_of("demo").name, "h1");
}

TEST(HostCommands, a_port_tells_who_leads_with_a_member_here_and_without) {
    Demo cluster(4);
    for (const char* at : {"h1", "h2", "h4"}) {
        auto port = cluster.open(cluster.host(at), "demo").value();
        EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "a"))).substr(0, 7), "applied");
        EXPECT_EQ(port->leader(), cluster.leader_of("demo").name) << at;
    }
    auto port = cluster.open(cluster.host("h4"), "demo").value();
    std::string before = cluster.leader_of("demo").name;
    cluster.host(before).stop();
    ASSERT_EQ(say(cluster.await(cluster.start_submit(*port, "b"))).substr(0, 7), "applied");
    EXPECT_NE(port->leader(), before);
    EXPECT_EQ(port->leader(), cluster.leader_of("demo").name);
}

TEST(HostCommands, wait_for_a_leader_to_be_elected) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    cluster.host("h1").crash();
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "a"))), "applied 1:a");
}

TEST(HostCommands, forwarded_to_a_leader_that_disconnects_are_unknown_and_not_sent_again) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    // h1 takes the command and its answer is lost with the connection.
    cluster.lose = [](const std::string& from, const std::string&,
                      const group::PeerMessage& message) {
        return from == "h1" && std::holds_alternative<group::Response>(message);
    };
    auto outcome = cluster.start_submit(*port, "a");
    cluster.scheduler.run_for(20ms);
    EXPECT_FALSE(outcome.has_value());
    cluster.disconnect("h1", "h2");
    EXPECT_EQ(say(cluster.await(outcome)), "unknown unreachable");
    cluster.lose = nullptr;
    cluster.connect("h1", "h2");
    cluster.scheduler.run_for(3s);
    EXPECT_EQ(cluster.count(), "1") << "applied once";
}

TEST(HostCommands, forwarded_to_a_silent_leader_are_unknown_at_the_deadline) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    cluster.isolate("h1");
    auto outcome = cluster.start_submit(*port, "a", 5s);
    EXPECT_EQ(say(cluster.await(outcome)), "unknown deadline_exceeded")
        << "it left this host and may arrive yet";
}

TEST(HostCommands, taken_by_a_leader_that_is_cut_off_are_unknown) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h1"), "demo").value();
    cluster.isolate("h1");
    auto outcome = cluster.start_submit(*port, "a", 3s);
    EXPECT_TRUE(say(cluster.await(outcome)).starts_with("unknown ")) << say(*outcome);
}

TEST(HostCommands, without_a_quorum_are_not_applied_and_say_who_is_away) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    cluster.host("h1").crash();
    cluster.host("h3").crash();
    cluster.scheduler.run_for(2s);
    auto outcome = cluster.start_submit(*port, "a", 3s);
    Time before = cluster.scheduler.now();
    EXPECT_EQ(say(cluster.await(outcome)), "not_applied no_quorum");
    EXPECT_EQ(cluster.scheduler.now() - before, 3s);
    const Error& error = std::get<group::NotApplied>(*outcome).error;
    EXPECT_NE(error.what.find("away: h1, h3"), std::string::npos) << error.what;
    auto read = cluster.query(cluster.host("h2"), "demo", ReadLevel::leader, "count", 2s);
    EXPECT_EQ(read, "no_quorum");
    EXPECT_EQ(cluster.query(cluster.host("h2"), "demo", ReadLevel::linearizable, "count", 2s),
              "deadline_exceeded");
    EXPECT_EQ(cluster.query(cluster.host("h2"), "demo", ReadLevel::local, "count", 2s), "0");
}

TEST(HostCommands, reach_the_other_side_of_a_partition_when_it_heals) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h3"), "demo").value();
    for (auto* other : {"h1", "h2"}) cluster.disconnect("h3", other);
    cluster.scheduler.run_for(1s);
    auto outcome = cluster.start_submit(*port, "a", 20s);
    cluster.scheduler.run_for(2s);
    EXPECT_FALSE(outcome.has_value());
    for (auto* other : {"h1", "h2"}) cluster.connect("h3", other);
    EXPECT_EQ(say(cluster.await(outcome)), "applied 1:a");
}

TEST(HostCommands, go_to_the_new_leader_when_the_member_here_was_deposed_unknowingly) {
    Demo cluster;
    auto port = cluster.open(cluster.host("h3"), "demo").value();
    HostCluster::Told<Result<group::Done>> moved;
    cluster.host("h1").service().transfer_leadership("demo", "h2", cluster.in(5s),
                                                     cluster.tell(moved, cluster.in(5s)));
    // h3 does not hear of it, and h1 tells it where to go.
    cluster.lose = [](const std::string& from, const std::string& to, const group::PeerMessage& m) {
        return from == "h2" && to == "h3" && std::holds_alternative<group::RaftEnvelope>(m);
    };
    ASSERT_TRUE(cluster.await(moved).has_value());
    cluster.scheduler.run_for(10ms);
    Time before = cluster.scheduler.now();
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "a"))), "applied 1:a");
    EXPECT_LT(cluster.scheduler.now() - before, 50ms);
}

TEST(HostCommands, that_break_a_limit_are_refused_once_and_for_all) {
    Demo cluster;
    std::string large(9u << 20, 'x');
    EXPECT_EQ(cluster.submit(cluster.host("h2"), "demo", large), "not_applied command_too_large");
    EXPECT_EQ(cluster.submit(cluster.host("h1"), "demo", large), "not_applied command_too_large");
}

TEST(HostCommands, beyond_what_may_be_forwarded_are_refused) {
    HostCluster cluster(0);
    cluster.options.max_forwarded_commands = 2;
    for (int i = 0; i < 3; ++i) cluster.add_host();
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    auto first = cluster.start_submit(*port, "a");
    auto second = cluster.start_submit(*port, "b");
    auto third = cluster.start_submit(*port, "c");
    EXPECT_EQ(say(cluster.await(third)), "not_applied overloaded");
    EXPECT_EQ(say(cluster.await(first)), "applied 1:a");
    EXPECT_EQ(say(cluster.await(second)), "applied 2:b");
    EXPECT_EQ(cluster.submit(cluster.host("h2"), "demo", "d"), "applied 3:d");
}

TEST(HostCommands, from_another_host_are_carried_out_once_however_often_they_arrive) {
    Demo cluster;
    cluster.repetition = 1;
    auto port = cluster.open(cluster.host("h2"), "demo").value();
    for (int i = 1; i <= 20; ++i) {
        std::string text = std::to_string(i);
        EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, text))),
                  "applied " + text + ":" + text);
    }
    EXPECT_EQ(cluster.count(), "20");
}

TEST(HostCommands, malformed_requests_from_another_host_are_refused) {
    Demo cluster;
    GroupId demo = cluster.open(cluster.host(0), "demo").value()->id();
    std::vector<group::Response> responses;
    cluster.lose = [&responses](const std::string& from, const std::string& to,
                                const group::PeerMessage& message) {
        auto* response = std::get_if<group::Response>(&message);
        if (from == "h1" && to == "h2" && response != nullptr) responses.push_back(*response);
        return false;
    };
    auto ask = [&](group::RequestBody body, Duration remaining = 5s) -> std::string {
        static std::uint64_t id = 77;
        responses.clear();
        cluster.host("h1").host->receiver().receive("h2", group::Request{++id, remaining, body});
        cluster.run_until([&] { return !responses.empty(); }, 10s);
        if (responses.size() != 1) return std::to_string(responses.size()) + " answers";
        EXPECT_EQ(responses[0].id, id);
        if (responses[0].failed) return std::string(error_info(responses[0].error.code).name);
        auto* outcome = std::get_if<group::Outcome>(&responses[0].body);
        return outcome ? say(*outcome) : "done";
    };
    GroupId nothing(12345);
    EXPECT_EQ(ask(group::SubmitRequest{nothing, group::make_command({}, as_bytes("x"))}),
              "not_applied no_such_group");
    EXPECT_EQ(ask(group::SubmitRequest{demo, Bytes::copy_of("short")}),
              "not_applied request_invalid");
    EXPECT_EQ(ask(group::SubmitRequest{demo, group::make_command({}, as_bytes("x"))}, -5s),
              "not_applied deadline_exceeded");
    EXPECT_EQ(ask(group::QueryRequest{nothing, ReadLevel::local, {}, {}}), "no_such_group");
    EXPECT_EQ(ask(group::StatusRequest{nothing, true}), "no_such_group");
    EXPECT_EQ(ask(group::LocateRequest{"no name"}), "name_invalid");
    EXPECT_EQ(ask(group::StartMemberRequest{Bytes::copy_of("garbage"), true}), "format_unknown");
    EXPECT_EQ(ask(group::ChangeMemberRequest{demo, {MemberId{}, "h9"}, false}), "request_invalid");
    EXPECT_EQ(ask(group::ChangeMemberRequest{demo, {MemberId(5), "h2"}, false}), "already_member");
    EXPECT_EQ(ask(group::ChangeMemberRequest{demo, {MemberId(5), "h2"}, true}), "not_member");
    EXPECT_EQ(ask(group::TransferRequest{demo, MemberId(5)}), "not_member");
    EXPECT_EQ(ask(group::DeleteMemberRequest{demo, MemberId(5)}), "not_member");
    EXPECT_EQ(ask(group::DeleteMemberRequest{nothing, MemberId(5)}), "done");
    EXPECT_EQ(ask(group::TakeSnapshotRequest{nothing}), "no_such_group");
    EXPECT_EQ(ask(group::ListSnapshotsRequest{nothing}), "no_such_group");
    EXPECT_EQ(ask(group::PluginFetchRequest{"../../etc/passwd", 0, 100}), "request_invalid");
    EXPECT_EQ(ask(group::PluginFetchRequest{std::string(64, 'a'), 0, 100}), "plugin_not_found");
    EXPECT_EQ(ask(group::PluginFetchRequest{build_of(cluster.plugin), 1u << 30, 100}),
              "request_invalid");
    EXPECT_EQ(ask(group::PluginOfferRequest{"x", 1}), "request_invalid");
    EXPECT_EQ(ask(group::PluginOfferRequest{std::string(64, 'a'), ~0ull}), "message_too_large");
    group::Registration wrong{GroupId(9), "wrong", Epoch(1), MemberId(3), {}, {}, {}};
    wrong.initial.members.push_back({MemberId(4), "h1", raft::VoteKind::voter, {}});
    EXPECT_EQ(ask(group::StartMemberRequest{encode(wrong), false}), "request_invalid");
    EXPECT_EQ(cluster.submit(cluster.host("h1"), "demo", "still well"), "applied 1:still well");
}

TEST(HostCommands, answers_that_nobody_asked_for_change_nothing) {
    Demo cluster;
    auto& receiver = cluster.host("h1").host->receiver();
    for (std::uint64_t id : {0ull, 1ull, 255ull, ~0ull}) {
        receiver.receive("h2", group::Response{id, false, {Errc::internal, {}, {}}, group::Done{}});
    }
    EXPECT_EQ(cluster.submit(cluster.host("h2"), "demo", "a"), "applied 1:a");
}

TEST(HostCommands, messages_for_groups_that_are_not_here_are_counted_and_ignored) {
    Demo cluster;
    auto& h1 = *cluster.host("h1").host;
    std::uint64_t before = h1.ignored_messages();
    h1.receiver().receive("h2", group::RaftEnvelope{GroupId(1), Epoch(1), MemberId(1), MemberId(2),
                                                    raft::TimeoutNow{Term(9)}});
    h1.receiver().receive("h2",
                          group::SnapshotFetch{GroupId(1), MemberId(1), MemberId(2), {}, 0, 1});
    h1.receiver().receive("h2", group::SnapshotPiece{});
    EXPECT_EQ(h1.ignored_messages(), before + 3);
}

TEST(HostCommands, text_becomes_a_command_and_a_reply_becomes_text) {
    Demo cluster(4);
    for (const char* at : {"h1", "h4"}) {
        auto port = cluster.open(cluster.host(at), "demo").value();
        std::vector<std::string> words{"hello"};
        Bytes command = port->encode_command(words).value();
        EXPECT_EQ(command.text(), "hello");
        EXPECT_EQ(port->encode_query(words).value().text(), "hello");
        EXPECT_EQ(port->render_reply(words, as_bytes("1:hello")), "1:hello");
        EXPECT_EQ(name_of_error(port->encode_command({})), "command_text_invalid");
    }
}

TEST(HostCommands, text_needs_the_plugin_here) {
    Demo cluster(4);
    cluster.host("h4").plugins.forget(build_of(cluster.plugin));
    auto port = cluster.open(cluster.host("h4"), "demo").value();
    std::vector<std::string> words{"hello"};
    EXPECT_EQ(name_of_error(port->encode_command(words)), "plugin_not_found");
    EXPECT_EQ(port->render_reply(words, as_bytes("plain")), "plain");
    EXPECT_EQ(port->render_reply(words, as_bytes("\x01\xff")), "0x01ff");
    EXPECT_EQ(say(cluster.await(cluster.start_submit(*port, "a"))), "applied 1:a")
        << "bytes need no plugin";
}

TEST(HostCommands, a_member_that_cannot_apply_sends_its_readers_to_the_leader) {
    Demo cluster;
    cluster.host("h2").plugins.controls->faults.insert(Index(2));
    ASSERT_EQ(cluster.submit(cluster.host("h1"), "demo", "a"), "applied 1:a");
    cluster.scheduler.run_for(1s);
    EXPECT_EQ(cluster.query(cluster.host("h2"), "demo", ReadLevel::local, "all"), "plugin_fault");
    EXPECT_EQ(cluster.query(cluster.host("h2"), "demo", ReadLevel::linearizable, "all"), "a");
}

}  // namespace
}  // namespace quorate::testing::host_commands_test
