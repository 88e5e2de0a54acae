#include "tests/rpc/gateway_fixture.hpp"

namespace quorate::testing {
namespace {

TEST_F(GatewayTest, says_who_it_is_and_lets_in) {
    serve();
    auto client = connect();
    auto hello = got(client->gate.helloRequest().send());
    EXPECT_EQ(hello.getProtocol(), schema::PROTOCOL_VERSION);
    EXPECT_EQ(hello.getCluster(), "test");
    EXPECT_EQ(hello.getHost(), "fake");
    auto hosts = got(login(*client).hostsRequest().send());
    ASSERT_EQ(hosts.getHosts().size(), 2u);
    EXPECT_EQ(hosts.getHosts()[1].getClientAddress(), "c:2");
    EXPECT_FALSE(hosts.getHosts()[1].getReachable());
}

TEST_F(GatewayTest, a_wrong_token_is_refused_and_the_right_one_is_not) {
    options.token = "secret";
    serve();
    auto client = connect();
    for (const char* wrong : {"", "secre", "secrets", "Secret"}) {
        auto request = client->gate.loginRequest();
        request.setToken(wrong);
        auto answer = got(request.send());
        ASSERT_TRUE(answer.isFailed()) << wrong;
        EXPECT_EQ(answer.getFailed().getCode(), static_cast<int>(Errc::access_denied));
        std::string said = answer.getFailed().getMessage();
        EXPECT_NE(said.find(*wrong == '\0' ? "none was given" : "does not know"), said.npos)
            << said;
        EXPECT_NE(std::string(answer.getFailed().getHint()).find("QUORATE_TOKEN"), said.npos);
        EXPECT_EQ(said.find("secret"), said.npos) << "the right one is not given away";
    }
    auto request = client->gate.loginRequest();
    request.setToken("secret");
    EXPECT_TRUE(got(request.send()).isHost());
}

TEST_F(GatewayTest, a_group_that_is_not_there_is_a_failure_with_a_hint) {
    serve();
    auto client = connect();
    auto request = login(*client).groupRequest();
    request.setName("nothing");
    auto answer = got(request.send());
    ASSERT_TRUE(answer.isFailed());
    EXPECT_EQ(answer.getFailed().getCode(), static_cast<int>(Errc::no_such_group));
    EXPECT_EQ(answer.getFailed().getName(), "no_such_group");
    EXPECT_GT(answer.getFailed().getHint().size(), 0u);
}

TEST_F(GatewayTest, a_command_goes_to_the_group_and_its_outcome_comes_back) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    auto submit = [&](const std::string& command) {
        auto request = group.submitRequest();
        request.setCommand(to_data(command));
        request.setTimeoutMs(1500);
        return got(request.send());
    };
    host.port->leading = "beta";
    host.port->on_submit = [](auto& s) { s.done(applied(7, "re:" + s.command)); };
    Time before = loop.now();
    auto yes = submit("one");
    ASSERT_TRUE(yes.getOutcome().isApplied());
    EXPECT_EQ(to_text(yes.getOutcome().getApplied().getReply()), "re:one");
    EXPECT_EQ(yes.getOutcome().getApplied().getEntry().getIndex(), 7u);
    EXPECT_EQ(yes.getLeader(), "beta");
    EXPECT_GE(host.port->submitted[0].deadline, before + 1500ms);
    EXPECT_LE(host.port->submitted[0].deadline, loop.now() + 1500ms);

    host.port->on_submit = [](auto& s) {
        s.done(group::NotApplied{fail(Errc::not_leader, "ask beta"), "beta"});
    };
    auto no = submit("two");
    ASSERT_TRUE(no.getOutcome().isNotApplied());
    EXPECT_EQ(no.getOutcome().getNotApplied().getLeader(), "beta");
    EXPECT_EQ(no.getOutcome().getNotApplied().getWhy().getCode(),
              static_cast<int>(Errc::not_leader));
    EXPECT_TRUE(no.getOutcome().getNotApplied().getWhy().getRetryable());

    host.port->on_submit = [](auto& s) {
        s.done(group::Unknown{fail(Errc::deadline_exceeded, "late")});
    };
    auto maybe = submit("three");
    ASSERT_TRUE(maybe.getOutcome().isUnknown());
    EXPECT_EQ(maybe.getOutcome().getUnknown().getCode(), static_cast<int>(Errc::deadline_exceeded));
}

TEST_F(GatewayTest, a_query_carries_its_level_and_fence) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_query = [](auto& asked) {
        asked.done(
            group::QueryAnswer{{Term(3), Index(30)}, Bytes::copy_of("a:" + asked.query), "beta"});
    };
    for (auto level :
         {schema::ReadLevel::LOCAL, schema::ReadLevel::LEADER, schema::ReadLevel::LINEARIZABLE}) {
        auto request = group.queryRequest();
        request.setLevel(level);
        request.setAtLeast(17);
        request.setQuery(to_data("q"));
        request.setTimeoutMs(100);
        auto response = got(request.send());
        auto answer = response.getAnswer();
        ASSERT_TRUE(answer.isReply());
        EXPECT_EQ(to_text(answer.getReply().getData()), "a:q");
        EXPECT_EQ(answer.getReply().getAt().getIndex(), 30u);
        EXPECT_EQ(answer.getReply().getLeader(), "beta");
        EXPECT_EQ(static_cast<int>(host.port->asked.back().level), static_cast<int>(level));
        EXPECT_EQ(host.port->asked.back().at_least, Index(17));
    }
    auto request = group.queryRequest();
    request.setLevel(static_cast<schema::ReadLevel>(99));
    auto response = got(request.send());
    auto answer = response.getAnswer();
    ASSERT_TRUE(answer.isFailed());
    EXPECT_EQ(answer.getFailed().getCode(), static_cast<int>(Errc::request_invalid));
}

TEST_F(GatewayTest, text_commands_and_queries_are_encoded_and_rendered_by_the_machine) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_submit = [](auto& s) { s.done(applied(1, s.command)); };
    host.port->on_query = [](auto& q) {
        q.done(group::QueryAnswer{{}, Bytes::copy_of(q.query), ""});
    };
    auto submit = [&](std::initializer_list<const char*> words) {
        auto request = group.submitTextRequest();
        auto list = request.initWords(static_cast<unsigned>(words.size()));
        unsigned i = 0;
        for (const char* word : words) list.set(i++, word);
        return got(request.send());
    };
    host.port->leading = "beta";
    EXPECT_EQ(submit({"put", "a"}).getText(), "put -> P:a");
    EXPECT_EQ(submit({"put", "a"}).getLeader(), "beta");
    auto bad = submit({"nonsense"});
    ASSERT_TRUE(bad.getOutcome().isNotApplied());
    EXPECT_EQ(bad.getOutcome().getNotApplied().getWhy().getCode(),
              static_cast<int>(Errc::command_text_invalid));
    ASSERT_TRUE(submit({}).getOutcome().isNotApplied());
    auto request = group.queryTextRequest();
    request.initWords(2).set(0, "get");
    request.getWords().set(1, "b");
    EXPECT_EQ(got(request.send()).getText(), "get -> G:b");
}

TEST_F(GatewayTest, admin_calls_reach_the_host_and_answer_values_or_failures) {
    serve();
    auto client = connect();
    auto admin = this->admin(*client);
    auto create = admin.createGroupRequest();
    create.setName("g");
    create.setPlugin("quorate.kv");
    create.initHosts(2).set(0, "x");
    create.getHosts().set(1, "y");
    create.setTimeoutMs(500);
    Time before = loop.now();
    auto made = got(create.send());
    ASSERT_TRUE(made.isLocation());
    EXPECT_EQ(made.getLocation().getHosts().size(), 2u);
    EXPECT_EQ(host.created->plugin, "quorate.kv");
    EXPECT_EQ(host.created->hosts, (std::vector<std::string>{"x", "y"}));
    EXPECT_GE(host.last_deadline, before + 500ms);

    EXPECT_EQ(got(admin.addMemberRequest().send()).getEntry().getIndex(), 9u);
    EXPECT_TRUE(got(admin.transferLeadershipRequest().send()).isDone());
    EXPECT_EQ(got(admin.pingHostRequest().send()).getRoundTripUs(), 1500u);
    EXPECT_EQ(got(admin.listSnapshotsRequest().send()).getSnapshots()[0].getRawBytes(), 20u);
    auto members = got(admin.groupMembersRequest().send());
    ASSERT_EQ(members.getMembers().size(), 2u);
    EXPECT_TRUE(members.getMembers()[0].isStatus());
    EXPECT_EQ(members.getMembers()[1].getFailed().getCode(), static_cast<int>(Errc::unreachable));
    auto refused = got(admin.deleteGroupRequest().send());
    ASSERT_TRUE(refused.isFailed());
    EXPECT_EQ(refused.getFailed().getCode(), static_cast<int>(Errc::no_such_host));
    auto install = admin.installPluginRequest();
    install.setImage(to_data(std::string(3 << 20, 'p')));
    got(install.send());
    EXPECT_EQ(host.installed.size(), 3u << 20);
}

TEST_F(GatewayTest, a_partition_is_offered_only_in_development_mode) {
    serve();
    auto client = connect();
    auto refused = got(admin(*client).partitionRequest().send());
    ASSERT_TRUE(refused.isFailed());
    EXPECT_EQ(refused.getFailed().getCode(), static_cast<int>(Errc::unsupported));

    std::vector<std::string> cut;
    options.partition = [&](const std::vector<std::string>& hosts) -> Result<void> {
        cut = hosts;
        return {};
    };
    serve();
    auto other = connect();
    auto request = admin(*other).partitionRequest();
    request.initHosts(1).set(0, "beta");
    EXPECT_TRUE(got(request.send()).isDone());
    EXPECT_EQ(cut, std::vector<std::string>{"beta"});
}

TEST_F(GatewayTest, describe_tells_what_the_group_is_and_where) {
    serve();
    auto client = connect();
    auto answer = got(demo(*client).describeRequest().send());
    EXPECT_EQ(answer.getLocation().getGroup(), 42u);
    EXPECT_EQ(answer.getLocation().getLeader(), "away");
    EXPECT_EQ(answer.getLocation().getHosts().size(), 2u);
    EXPECT_EQ(answer.getMachine().getPlugin(), "quorate.kv");
    EXPECT_EQ(answer.getMachine().getVersion(), 3u);
}

TEST_F(GatewayTest, connections_that_come_before_it_is_ready_are_served_then) {
    auto opened = rpc::Gateway::open(loop, options);
    gateway = std::move(*opened);
    auto client = connect();
    auto hello = client->gate.helloRequest().send();
    scope.run_until([] { return false; }, 5ms);
    gateway->start(host);
    EXPECT_EQ(got(kj::mv(hello)).getHost(), "fake");
}

}  // namespace
}  // namespace quorate::testing
