#include "tests/client/fake_server.hpp"

#include <atomic>

// What becomes of one command when connections break, hosts are silent or say no. The rule above
// all: what may have been submitted is never sent again, and what certainly was not is.
namespace quorate::testing {
namespace {

using Strings = std::vector<std::string>;

class Submit : public ::testing::Test {
 protected:
    Submit() { introduce({&h1, &h2}); }
    void start() {
        h1.start();
        h2.start();
        client = connect({.endpoints = {h1.address(), h2.address()}});
    }
    client::Outcome submit(const std::string& command, Duration timeout = 20s) {
        return client->group("demo").submit(as_bytes(command), timeout).get();
    }

    // Of two hosts the one that is asked first refuses: how that ends, and what the other is asked.
    void check_refusal(Errc code, const std::string& end, const Strings& asked_of_the_other) {
        FakeServer one("h1");
        FakeServer two("h2");
        introduce({&one, &two});
        refuse_all(one, code);
        apply_all(two);
        one.start();
        two.start();
        client = connect({.endpoints = {one.address(), two.address()}});
        EXPECT_EQ(say(submit("a")), end) << error_info(code).name;
        EXPECT_EQ(one.commands(), Strings{"a"});
        EXPECT_EQ(two.commands(), asked_of_the_other);
        client.reset();
    }

    FakeServer h1{"h1"};
    FakeServer h2{"h2"};
    std::unique_ptr<client::Client> client;
};

TEST_F(Submit, says_where_it_was_applied_and_gives_the_reply) {
    apply_all(h1);
    start();
    auto outcome = submit("put");
    auto* applied = std::get_if<client::Applied>(&outcome);
    ASSERT_NE(applied, nullptr) << say(outcome);
    EXPECT_EQ(applied->entry, (EntryId{Term(1), Index(1)}));
    EXPECT_EQ(applied->reply.text(), "re:put");
}

TEST_F(Submit, is_unknown_and_never_sent_again_when_the_connection_dies_after_it_was_sent) {
    apply_all(h2);
    h1.host().port->on_submit = [this](auto&) { h1.die_soon(); };
    start();
    auto outcome = submit("once");
    EXPECT_EQ(say(outcome), "unknown leadership_lost");
    auto* unknown = std::get_if<client::Unknown>(&outcome);
    ASSERT_NE(unknown, nullptr);
    EXPECT_NE(unknown->error.what.find(h1.address()), std::string::npos) << unknown->error.what;
    EXPECT_EQ(h1.commands(), Strings{"once"});
    EXPECT_EQ(h2.commands(), Strings{});
    EXPECT_EQ(say(submit("next")), "applied re:next");
    EXPECT_EQ(h2.commands(), Strings{"next"});
}

TEST_F(Submit, is_unknown_and_never_sent_again_when_the_host_falls_silent) {
    apply_all(h1);
    apply_all(h2);
    start();
    ASSERT_EQ(say(submit("connected")), "applied re:connected");
    h1.run([&] { h1.host().port->on_submit = nullptr; });
    EXPECT_EQ(say(submit("once", 1s)), "unknown deadline_exceeded");
    EXPECT_EQ(h1.commands(), (Strings{"connected", "once"}));
    EXPECT_EQ(h2.commands(), Strings{});
    EXPECT_EQ(say(submit("next")), "applied re:next") << "a silent host is not asked first again";
    EXPECT_EQ(h2.commands(), Strings{"next"});
}

TEST_F(Submit, goes_elsewhere_when_the_connection_dies_before_it_was_sent) {
    apply_all(h2);
    h1.host().on_open = [this](const auto&) { h1.die_soon(); };
    start();
    EXPECT_EQ(say(submit("a")), "applied re:a");
    EXPECT_EQ(h1.commands(), Strings{});
    EXPECT_EQ(h2.commands(), Strings{"a"});
}

TEST_F(Submit, goes_elsewhere_when_a_host_certainly_did_not_take_it) {
    for (Errc code : {Errc::member_stopped, Errc::not_leader, Errc::no_leader, Errc::unreachable,
                      Errc::member_fenced, Errc::member_recovering, Errc::leadership_lost}) {
        check_refusal(code, "applied re:a", Strings{"a"});
    }
}

TEST_F(Submit, goes_elsewhere_when_a_host_cannot_open_the_group) {
    h1.host().on_open = [](const auto& done) { done(fail(Errc::member_stopped, "stopping")); };
    apply_all(h2);
    start();
    EXPECT_EQ(say(submit("a")), "applied re:a");
    EXPECT_GE(h1.run([&] { return h1.host().opened; }), 1);
}

TEST_F(Submit, takes_no_for_an_answer_where_asking_again_does_not_help) {
    for (Errc code : {Errc::overloaded, Errc::disk_full, Errc::command_too_large,
                      Errc::request_invalid, Errc::deadline_exceeded, Errc::plugin_fault}) {
        check_refusal(code, "not_applied " + std::string(error_info(code).name), {});
    }
}

TEST_F(Submit, tells_when_an_overloaded_host_wants_to_be_asked_again) {
    h1.host().port->on_submit = [](auto& s) {
        s.done(group::NotApplied{fail_overloaded("full", 1234), ""});
    };
    start();
    client::Outcome outcome = submit("a");
    auto* refused = std::get_if<client::NotApplied>(&outcome);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->error.code, Errc::overloaded);
    EXPECT_EQ(refused->error.retry_after_ms, 1234u);
}

TEST_F(Submit, comes_again_to_an_overloaded_host_if_it_is_asked_to) {
    auto refusals = std::make_shared<int>(0);
    h1.host().port->on_submit = [refusals](auto& s) {
        if (++*refusals <= 3) return s.done(group::NotApplied{fail_overloaded("full", 1), ""});
        s.done(applied(1, "at last"));
    };
    h1.start();
    client = connect({.endpoints = {h1.address()}, .retry_overloaded = true});
    EXPECT_EQ(say(submit("a")), "applied at last");
    EXPECT_EQ(h1.commands(), (Strings{"a", "a", "a", "a"}));
}

TEST_F(Submit, does_not_come_again_after_its_deadline) {
    h1.host().port->on_submit = [](auto& s) {
        s.done(group::NotApplied{fail_overloaded("full", 60'000), ""});
    };
    h1.start();
    client = connect({.endpoints = {h1.address()}, .retry_overloaded = true});
    EXPECT_EQ(say(submit("a", 20s)), "not_applied overloaded") << "at once: it would be in vain";
    EXPECT_EQ(h1.commands(), Strings{"a"});
}

TEST_F(Submit, that_everybody_refuses_ends_at_its_deadline_after_a_few_attempts) {
    refuse_all(h1, Errc::no_leader);
    refuse_all(h2, Errc::no_leader);
    start();
    EXPECT_EQ(say(submit("a", 1s)), "not_applied no_leader");
    std::size_t attempts = h1.commands().size() + h2.commands().size();
    EXPECT_GE(h2.commands().size(), 1u) << "both are asked";
    EXPECT_LE(attempts, 20u) << "with pauses that grow";
}

TEST_F(Submit, to_a_group_that_is_not_there_is_refused_at_once) {
    start();
    auto outcome = client->group("nothing").submit(as_bytes("a"), 1h).get();
    EXPECT_EQ(say(outcome), "not_applied no_such_group");
}

TEST_F(Submit, finds_the_group_that_was_created_anew_under_its_name) {
    apply_all(h1);
    start();
    ASSERT_EQ(say(submit("a")), "applied re:a");
    h1.run([&] {
        refuse_all(h1, Errc::no_such_group);  // the port that the client holds
        h1.host().port = std::make_shared<FakePort>();
        apply_all(h1);
    });
    EXPECT_EQ(say(submit("b")), "applied re:b");
    EXPECT_EQ(h1.commands(), Strings{"b"});
}

TEST_F(Submit, that_nobody_takes_says_which_endpoints_were_tried) {
    client = connect({.endpoints = {h1.address(), h2.address()}});
    auto outcome = submit("a", 500ms);
    EXPECT_EQ(say(outcome), "not_applied unreachable");
    const std::string& what = std::get<client::NotApplied>(outcome).error.what;
    EXPECT_NE(what.find(h1.address()), std::string::npos) << what;
    EXPECT_NE(what.find(h2.address()), std::string::npos) << what;
}

TEST_F(Submit, waits_for_a_host_to_come_up) {
    apply_all(h1);
    client = connect(h1);
    auto outcome = client->group("demo").submit(as_bytes("a"), 20s).future();
    h1.start();
    EXPECT_EQ(say(outcome.get()), "applied re:a");
}

TEST_F(Submit, without_time_is_not_sent) {
    apply_all(h1);
    start();
    ASSERT_EQ(say(submit("a")), "applied re:a");
    for (Duration timeout : {Duration(0), Duration(-5s), Duration::min()}) {
        EXPECT_EQ(say(submit("b", timeout)), "not_applied deadline_exceeded");
    }
    EXPECT_EQ(h1.commands(), Strings{"a"});
}

TEST_F(Submit, may_have_all_the_time_in_the_world) {
    apply_all(h1);
    start();
    EXPECT_EQ(say(submit("a", Duration::max())), "applied re:a");
    EXPECT_EQ(say(submit("b", 24h * 365 * 50)), "applied re:b");
}

TEST_F(Submit, carries_its_deadline_to_the_host) {
    apply_all(h1);
    start();
    ASSERT_EQ(say(submit("a", 20s)), "applied re:a");
    Duration given =
        h1.run([&] { return h1.host().port->submitted[0].deadline - h1.loop().now(); });
    EXPECT_LE(given, 20s);
}

TEST_F(Submit, of_what_fits_no_message_is_refused_here_and_costs_no_connection) {
    apply_all(h1);
    h1.start();
    client = connect({.endpoints = {h1.address()}, .max_message_bytes = 1 << 20});
    ASSERT_EQ(say(submit("a")), "applied re:a");
    EXPECT_EQ(say(submit(std::string(1 << 20, 'x'))), "not_applied command_too_large");
    std::string most((1 << 20) - 4096, 'x');
    EXPECT_EQ(say(submit(most)), "applied re:" + most);
    EXPECT_EQ(h1.connections(), 1u);
}

TEST_F(Submit, under_way_when_the_client_ends_is_unknown) {
    h1.start();
    client = connect(h1);
    std::atomic<int> ended = 0;
    std::vector<std::future<client::Outcome>> outcomes;
    for (int i = 0; i < 10; ++i) {
        outcomes.push_back(client->group("demo").submit(as_bytes("a"), 1h).future());
        client->group("demo").submit(as_bytes("b"), 1h).then([&ended](auto) { ++ended; });
    }
    while (h1.commands().size() < 20) std::this_thread::yield();
    client.reset();
    EXPECT_EQ(ended, 10) << "no completion runs after the destructor";
    for (auto& outcome : outcomes) EXPECT_EQ(say(outcome.get()), "unknown cancelled");
}

TEST_F(Submit, in_words_is_encoded_and_rendered_by_the_machine) {
    apply_all(h1);
    start();
    auto put = client->group("demo").submit_text({"put", "key"}, 20s).get();
    EXPECT_EQ(say(put.outcome), "applied re:P:key");
    EXPECT_EQ(put.text, "put -> re:P:key");
    auto nonsense = client->group("demo").submit_text({"frobnicate"}, 20s).get();
    EXPECT_EQ(say(nonsense.outcome), "not_applied command_text_invalid");
    EXPECT_EQ(h1.commands(), Strings{"P:key"});
}

TEST_F(Submit, in_words_is_not_sent_again_either) {
    apply_all(h2);
    h1.host().port->on_submit = [this](auto&) { h1.die_soon(); };
    start();
    EXPECT_EQ(say(client->group("demo").submit_text({"put", "k"}, 20s).get().outcome),
              "unknown leadership_lost");
    EXPECT_EQ(h2.commands(), Strings{});
}

}  // namespace
}  // namespace quorate::testing
