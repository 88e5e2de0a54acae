#include "tests/rpc/gateway_fixture.hpp"
#include "tests/rpc/raw_socket.hpp"

// What one client may cost: whatever it does or fails to do ends its own connection at worst, and
// what it holds meanwhile is bounded.
namespace quorate::testing {
namespace {

class GatewayLimits : public GatewayTest {
 public:
    ~GatewayLimits() noexcept override {}  // promises' own may throw

 protected:
    static int code(schema::Failure::Reader failure) { return failure.getCode(); }
    static constexpr int overloaded = static_cast<int>(Errc::overloaded);

    // Keeps what it is given alive, as a client does that never lets go.
    template <class Promise>
    void keep(Promise promise) {
        kept.add(promise.ignoreResult().eagerlyEvaluate([](kj::Exception&&) {}));
    }
    kj::Vector<kj::Promise<void>> kept;
};

// ---- calls under way ----------------------------------------------------------------------------

TEST_F(GatewayLimits, too_much_in_flight_is_refused_as_overloaded_and_frees_up) {
    options.max_inflight_bytes = 5000;  // each costs a kilobyte beside its own
    serve();
    auto client = connect();
    auto group = demo(*client);
    auto send = [&] {
        auto request = group.submitRequest();
        request.setCommand(to_data(std::string(1000, 'x')));
        return request.send();
    };
    auto first = send();
    auto second = send();
    ASSERT_TRUE(eventually([&] { return host.port->submitted.size() == 2; }));
    auto third = got(send());
    ASSERT_TRUE(third.getOutcome().isNotApplied());
    EXPECT_EQ(third.getOutcome().getNotApplied().getWhy().getCode(),
              static_cast<int>(Errc::overloaded));
    host.port->submitted[0].done(applied(1, ""));
    EXPECT_TRUE(got(kj::mv(first)).getOutcome().isApplied());
    auto fourth = send();
    ASSERT_TRUE(eventually([&] { return host.port->submitted.size() == 3; }));
}

TEST_F(GatewayLimits, calls_that_carry_nothing_count_too) {
    options.max_inflight_bytes = 10 * 1024;
    serve();
    auto client = connect();
    auto group = demo(*client);
    for (int i = 0; i < 10; ++i) keep(group.queryRequest().send());
    ASSERT_TRUE(eventually([&] { return host.port->asked.size() == 10; }));
    auto refused = got(group.queryRequest().send());
    ASSERT_TRUE(refused.getAnswer().isFailed());
    EXPECT_EQ(code(refused.getAnswer().getFailed()), overloaded);
    auto command = got(group.submitRequest().send());
    EXPECT_EQ(code(command.getOutcome().getNotApplied().getWhy()), overloaded);
    host.port->asked[3].done(group::QueryAnswer{});
    keep(group.queryRequest().send());
    EXPECT_TRUE(eventually([&] { return host.port->asked.size() == 11; }));
}

TEST_F(GatewayLimits, calls_of_all_connections_count_together) {
    options.max_all_inflight_bytes = 10 * 1024;
    serve();
    auto one = connect();
    auto other = connect();
    auto group = demo(*one);
    auto others = demo(*other);
    for (int i = 0; i < 10; ++i) keep((i % 2 == 0 ? group : others).queryRequest().send());
    ASSERT_TRUE(eventually([&] { return host.port->asked.size() == 10; }));
    for (auto* each : {&group, &others}) {
        auto refused = got(each->queryRequest().send());
        ASSERT_TRUE(refused.getAnswer().isFailed());
        EXPECT_EQ(code(refused.getAnswer().getFailed()), overloaded);
        EXPECT_GT(refused.getAnswer().getFailed().getRetryAfterMs(), 0u);
    }
    // What a connection had under way counts until it has ended, not until its client has gone.
    one.reset();
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 1; }));
    EXPECT_TRUE(got(others.queryRequest().send()).getAnswer().isFailed());
    for (auto& asked : std::exchange(host.port->asked, {})) asked.done(group::QueryAnswer{});
    host.port->on_query = [](auto& q) { q.done(group::QueryAnswer{}); };
    EXPECT_TRUE(got(others.queryRequest().send()).getAnswer().isReply());
}

TEST_F(GatewayLimits, answers_beyond_what_a_connection_queues_come_as_they_are_read) {
    options.congested_bytes = 1 << 20;
    options.max_queued_bytes = 4 << 20;
    serve();
    auto client = connect();
    auto group = demo(*client);
    int answered = 0;
    for (int i = 0; i < 40; ++i) {
        kept.add(group.queryRequest()
                     .send()
                     .then([&](auto&& answer) { answered += answer.getAnswer().isReply(); })
                     .eagerlyEvaluate([](kj::Exception&&) {}));
    }
    ASSERT_TRUE(eventually([&] { return host.port->asked.size() == 40; }));
    for (auto& one : std::exchange(host.port->asked, {}))
        one.done(group::QueryAnswer{{}, Bytes::take(std::string(1 << 20, 'r')), ""});
    EXPECT_TRUE(eventually([&] { return answered == 40 || client->gone; }));
    EXPECT_EQ(answered, 40);
    EXPECT_FALSE(client->gone);
}

TEST_F(GatewayLimits, one_call_always_fits) {
    options.max_inflight_bytes = 100;
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    for (int i = 0; i < 3; ++i) {
        auto request = group.submitRequest();
        request.setCommand(to_data(std::string(5000, 'x')));
        EXPECT_TRUE(got(request.send()).getOutcome().isApplied());
    }
}

TEST_F(GatewayLimits, groups_that_are_being_opened_count) {
    options.max_inflight_bytes = 5 * 1024;
    serve();
    std::vector<FakeHost::Opened> waiting;
    host.on_open = [&](const FakeHost::Opened& done) { waiting.push_back(done); };
    auto client = connect();
    auto service = login(*client);
    for (int i = 0; i < 5; ++i) keep(service.groupRequest().send());
    ASSERT_TRUE(eventually([&] { return waiting.size() == 5; }));
    auto refused = got(service.groupRequest().send());
    ASSERT_TRUE(refused.isFailed());
    EXPECT_EQ(code(refused.getFailed()), overloaded);
    waiting[0](fail(Errc::no_such_group, "none"));
    keep(service.groupRequest().send());
    EXPECT_TRUE(eventually([&] { return waiting.size() == 6; }));
}

TEST_F(GatewayLimits, administration_counts_with_what_it_carries) {
    options.max_inflight_bytes = 1 << 20;
    serve();
    std::vector<group::Reply<group::Done>> waiting;
    host.on_delete = [&](const auto& done) { waiting.push_back(done); };
    auto client = connect();
    auto admin = this->admin(*client);
    keep(admin.deleteGroupRequest().send());
    ASSERT_TRUE(eventually([&] { return waiting.size() == 1; }));
    auto install = admin.installPluginRequest();
    install.setImage(to_data(std::string(1 << 20, 'p')));
    auto refused = got(install.send());
    ASSERT_TRUE(refused.isFailed());
    EXPECT_EQ(code(refused.getFailed()), overloaded);
    EXPECT_TRUE(host.installed.empty());
    EXPECT_EQ(got(admin.pingHostRequest().send()).getRoundTripUs(), 1500u);
}

TEST_F(GatewayLimits, a_command_whose_caller_let_go_counts_until_it_has_ended) {
    options.max_inflight_bytes = 5000;
    serve();
    auto client = connect();
    auto group = demo(*client);
    auto send = [&](std::size_t bytes) {
        auto request = group.submitRequest();
        request.setCommand(to_data(std::string(bytes, 'x')));
        return request.send();
    };
    {
        auto cancelled = send(3500);
        ASSERT_TRUE(eventually([&] { return host.port->submitted.size() == 1; }));
    }
    auto refused = got(send(1000));  // a round trip, by which the cancellation has arrived
    EXPECT_EQ(code(refused.getOutcome().getNotApplied().getWhy()), overloaded);
    host.port->submitted[0].done(applied(1, "nobody hears it"));
    host.port->on_submit = [](auto& s) { s.done(applied(2, "")); };
    EXPECT_TRUE(got(send(3500)).getOutcome().isApplied());
    EXPECT_FALSE(client->gone);
}

TEST_F(GatewayLimits, capabilities_let_go_of_while_commands_are_under_way_do_no_harm) {
    serve();
    auto client = connect();
    auto service = login(*client);
    for (int i = 0; i < 20; ++i) {
        auto group = demo(*client);
        auto submit = group.submitRequest().send();
        auto query = group.queryRequest().send();
        std::size_t count = static_cast<std::size_t>(i) + 1;
        ASSERT_TRUE(eventually([&] {
            return host.port->submitted.size() == count && host.port->asked.size() == count;
        }));
    }
    got(service.hostsRequest().send());
    for (auto& one : host.port->submitted) one.done(applied(1, "late"));
    for (auto& one : host.port->asked) one.done(fail(Errc::query_failed, "late"));
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    EXPECT_TRUE(got(demo(*client).submitRequest().send()).getOutcome().isApplied());
}

TEST_F(GatewayLimits, answers_that_come_after_the_client_has_gone_are_dropped) {
    serve();
    {
        auto client = connect();
        auto group = demo(*client);
        auto waiting = group.submitRequest().send();
        auto another = group.submitRequest().send();
        ASSERT_TRUE(eventually([&] { return host.port->submitted.size() == 2; }));
    }
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 0; }));
    host.port->submitted[0].done(applied(1, "late"));
    gateway.reset();
    host.port->submitted[1].done(applied(1, "later"));
    host.port->submitted.clear();
}

// ---- what is held -----------------------------------------------------------------------------

TEST_F(GatewayLimits, who_never_lets_go_of_a_capability_is_hung_up_on) {
    options.max_capabilities = 20;
    serve();
    auto hoarder = connect();
    auto polite = connect();
    std::vector<schema::Group::Client> hoard;
    auto service = login(*hoarder);
    try {
        for (int i = 0; i < 40; ++i) {
            auto request = service.groupRequest();
            request.setName("demo");
            hoard.push_back(got(request.send()).getGroup());
            demo(*polite);  // a host and a group more, and both let go of at once
        }
    } catch (const kj::Exception&) {
    }
    EXPECT_TRUE(eventually([&] { return hoarder->gone; }));
    EXPECT_LE(hoard.size(), 20u);
    demo(*polite);
    EXPECT_FALSE(polite->gone);
}

// ---- messages ---------------------------------------------------------------------------------

TEST_F(GatewayLimits, a_message_beyond_the_limit_costs_its_own_connection_only) {
    options.max_message_bytes = 64 << 10;
    serve();
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    auto good = connect();
    auto group = demo(*good);
    auto large = connect();
    auto other = demo(*large);
    auto submit = [](schema::Group::Client& to, std::size_t bytes) {
        auto request = to.submitRequest();
        request.setCommand(to_data(std::string(bytes, 'x')));
        return request.send();
    };
    EXPECT_TRUE(got(submit(other, 60 << 10)).getOutcome().isApplied());
    EXPECT_THROW(got(submit(other, 64 << 10)), kj::Exception);
    EXPECT_TRUE(eventually([&] { return large->gone; }));
    EXPECT_EQ(host.port->submitted.size(), 1u);
    EXPECT_TRUE(got(submit(group, 60 << 10)).getOutcome().isApplied());
    EXPECT_FALSE(good->gone);
}

TEST_F(GatewayLimits, a_stranger_may_say_little_before_it_has_logged_in) {
    serve();
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    auto good = connect();
    auto group = demo(*good);
    auto stranger = connect();
    auto shout = [](schema::Gate::Client& gate) {
        auto request = gate.helloRequest();
        request.setSoftware(std::string(100'000, 'x'));
        return request.send();
    };
    EXPECT_THROW(got(shout(stranger->gate)), kj::Exception);
    EXPECT_TRUE(eventually([&] { return stranger->gone; }));
    got(shout(good->gate));
    auto submit = group.submitRequest();
    submit.setCommand(to_data(std::string(1 << 20, 'x')));
    EXPECT_TRUE(got(submit.send()).getOutcome().isApplied());
}

TEST_F(GatewayLimits, garbage_costs_its_own_connection_only) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    for (std::string bytes :
         {std::string("\xff\xff\xff\xff"), std::string("GET / HTTP/1.0\r\n\r\n"),
          make_frame(std::string(64, '\x01')), make_frame(std::string(4000, '\xfe'))}) {
        RawSocket attacker(loop::parse_endpoint(gateway->address())->port);
        attacker.send(bytes);
        ASSERT_TRUE(eventually([&] { return attacker.closed_by_other_side(); }));
        EXPECT_TRUE(got(group.submitRequest().send()).getOutcome().isApplied());
    }
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 1; }));
}

TEST_F(GatewayLimits, a_client_that_stops_reading_costs_its_own_connection_only) {
    options.congested_bytes = 1 << 20;
    options.stall_timeout = 50ms;
    serve();
    host.port->on_query = [](auto& q) {
        q.done(group::QueryAnswer{{}, Bytes::take(std::string(1 << 20, 'r')), ""});
    };
    auto deaf = connect();
    auto group = demo(*deaf);
    deaf->connection->pause();
    kj::Vector<kj::Promise<void>> never;
    for (int i = 0; i < 100; ++i) {
        never.add(
            group.queryRequest().send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {}));
    }
    auto good = connect();
    auto other = demo(*good);
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 1; }));
    // It was not even asked for everything.
    EXPECT_LT(host.port->asked.size(), 60u);
    EXPECT_TRUE(got(other.queryRequest().send()).getAnswer().isReply());
    EXPECT_FALSE(good->gone);
}

// ---- time -------------------------------------------------------------------------------------

TEST_F(GatewayLimits, every_call_carries_its_deadline) {
    serve();
    auto client = connect();
    auto group = demo(*client);
    for (std::uint32_t ms : {0u, 1u, 60'000u}) {
        Time before = loop.now();
        auto submit = group.submitRequest();
        submit.setTimeoutMs(ms);
        auto command = submit.send();
        auto ask = group.queryRequest();
        ask.setTimeoutMs(ms);
        auto query = ask.send();
        std::size_t count = host.port->asked.size() + 1;
        ASSERT_TRUE(eventually([&] { return host.port->asked.size() == count; }));
        Duration given = std::chrono::milliseconds(ms);
        for (Time deadline :
             {host.port->submitted.back().deadline, host.port->asked.back().deadline}) {
            EXPECT_GE(deadline, before + given);
            EXPECT_LE(deadline, loop.now() + given);
        }
    }
}

TEST_F(GatewayLimits, a_timeout_of_ages_is_cut) {
    options.max_timeout = 1min;
    serve();
    auto client = connect();
    auto request = demo(*client).submitRequest();
    request.setTimeoutMs(0xffffffff);
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    got(request.send());
    EXPECT_LE(host.port->submitted[0].deadline, loop.now() + 1min);
}

// ---- connections --------------------------------------------------------------------------------

TEST_F(GatewayLimits, more_connections_than_the_limit_are_closed) {
    options.max_connections = 2;
    serve();
    auto first = connect();
    auto second = connect();
    got(first->gate.helloRequest().send());
    got(second->gate.helloRequest().send());
    auto third = connect();
    EXPECT_TRUE(eventually([&] { return third->gone; }));
    got(first->gate.helloRequest().send());
    second.reset();
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 1; }));
    auto fourth = connect();
    got(fourth->gate.helloRequest().send());
}

TEST_F(GatewayLimits, who_does_not_log_in_is_shown_out) {
    options.login_timeout = 500ms;
    serve();
    auto idle = connect();
    auto busy = connect();
    login(*busy);
    EXPECT_TRUE(eventually([&] { return idle->gone; }));
    got(busy->gate.helloRequest().send());
    EXPECT_FALSE(busy->gone);
}

TEST_F(GatewayLimits, who_guesses_tokens_is_hung_up_on) {
    options.token = "secret";
    options.max_login_attempts = 3;
    serve();
    auto guesser = connect();
    auto other = connect();
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(got(guesser->gate.loginRequest().send()).isFailed());
        EXPECT_TRUE(i == 2 || got(other->gate.loginRequest().send()).isFailed());
    }
    EXPECT_TRUE(eventually([&] { return guesser->gone; }));
    auto request = other->gate.loginRequest();
    request.setToken("secret");
    EXPECT_TRUE(got(request.send()).isHost());
}

}  // namespace
}  // namespace quorate::testing
