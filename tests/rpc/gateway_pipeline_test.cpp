#include "tests/rpc/gateway_fixture.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace quorate::testing {
namespace {

std::string say(schema::Outcome::Reader outcome) {
    if (outcome.isApplied()) return "applied " + to_text(outcome.getApplied().getReply());
    if (outcome.isUnknown()) return "unknown";
    return "refused " + std::to_string(outcome.getNotApplied().getWhy().getCode());
}

class PipelineTest : public GatewayTest {
 public:
    ~PipelineTest() noexcept override {}  // capabilities' own may throw

 protected:
    struct Answer {
        std::uint64_t first;  // of the write
        std::size_t outcomes;
        std::string leader;
        bool operator==(const Answer&) const = default;
    };
    using Answers = std::vector<Answer>;

    void open() {
        serve();
        client = connect();
        auto answer = got(demo(*client).pipelineRequest().send());
        pipeline = answer.getPipeline();
        EXPECT_EQ(answer.getCreditCommands(), options.pipeline_commands);
        EXPECT_EQ(answer.getCreditBytes(), options.pipeline_bytes);
    }
    // Sends it, and writes down what is answered when it is.
    void write(schema::Pipeline::Client& to, std::uint64_t first,
               const std::vector<std::string>& commands) {
        auto request = to.writeRequest();
        request.setFirst(first);
        request.setTimeoutMs(60'000);
        auto list = request.initCommands(static_cast<unsigned>(commands.size()));
        for (unsigned i = 0; i < commands.size(); ++i) list.set(i, to_data(commands[i]));
        ++waiting;
        writes.push_back(
            request.send()
                .then([this, first](capnp::Response<schema::Pipeline::WriteResults> answer) {
                    answered(first, answer);
                })
                .eagerlyEvaluate([](kj::Exception&&) {}));
    }
    void write(std::uint64_t first, const std::vector<std::string>& commands) {
        write(pipeline, first, commands);
    }
    void answered(std::uint64_t first, schema::Pipeline::WriteResults::Reader answer) {
        --waiting;
        answers.push_back({first, answer.getOutcomes().size(), answer.getLeader().cStr()});
        for (auto one : answer.getOutcomes()) {
            order.push_back(one.getCorrelation());
            twice += !outcomes.emplace(one.getCorrelation(), say(one.getOutcome())).second;
        }
    }
    // A round trip, by which what was sent before has arrived, and what was answered before too.
    void round_trip() { login(*client); }
    void wait_for_outcomes(std::size_t count) {
        ASSERT_TRUE(eventually([&] { return outcomes.size() == count; }));
        EXPECT_EQ(twice, 0);
    }
    void wait_for_commands(std::size_t count) {
        ASSERT_TRUE(eventually([&] { return host.port->submitted.size() == count; }));
    }
    void answer(std::size_t at) { host.port->submitted[at].done(applied(1, "")); }
    void answer_all() {
        for (auto& one : std::exchange(host.port->submitted, {})) one.done(applied(1, one.command));
    }
    // One write's answer is taken; nine large outcomes wait for the next.
    void leave_large_outcomes_unasked() {
        write(0, std::vector<std::string>(10, "x"));
        wait_for_commands(10);
        answer(0);
        wait_for_outcomes(1);
        std::string large(256 << 10, 'r');
        for (std::size_t at = 1; at < 10; ++at) host.port->submitted[at].done(applied(1, large));
    }
    void expect_hung_up() {
        EXPECT_TRUE(eventually([&] { return client->gone; }));
        EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
    }

    std::map<std::uint64_t, std::string> outcomes;
    std::vector<std::uint64_t> order;  // of correlations
    Answers answers;
    int waiting = 0;  // writes
    int twice = 0;
    std::unique_ptr<TestClient> client;
    schema::Pipeline::Client pipeline = nullptr;
    std::vector<kj::Promise<void>> writes;
};

TEST_F(PipelineTest, every_command_gets_its_outcome_once_under_its_correlation) {
    open();
    write(10, {"a", "b", "c"});
    wait_for_commands(3);
    host.port->submitted[1].done(group::NotApplied{fail(Errc::no_leader, "none"), ""});
    host.port->submitted[2].done(group::Unknown{fail(Errc::leadership_lost, "lost")});
    host.port->submitted[0].done(applied(1, "A"));
    wait_for_outcomes(3);
    EXPECT_EQ(outcomes[10], "applied A");
    EXPECT_EQ(outcomes[11], "refused 2103");
    EXPECT_EQ(outcomes[12], "unknown");
}

TEST_F(PipelineTest, what_is_ready_in_one_turn_comes_in_one_answer) {
    open();
    write(0, std::vector<std::string>(1000, "x"));
    wait_for_commands(1000);
    answer_all();
    wait_for_outcomes(1000);
    EXPECT_EQ(answers, (Answers{{0, 1000, ""}}));
}

TEST_F(PipelineTest, a_write_waits_until_there_is_an_outcome) {
    open();
    write(0, {"a"});
    round_trip();
    EXPECT_EQ(host.port->submitted.size(), 1u);
    EXPECT_EQ(answers, Answers{});
    answer_all();
    wait_for_outcomes(1);
}

TEST_F(PipelineTest, outcomes_that_no_write_waits_for_come_with_the_next) {
    open();
    write(0, {"a", "b", "c"});
    wait_for_commands(3);
    answer(1);
    wait_for_outcomes(1);
    answer(0);
    round_trip();
    EXPECT_EQ(outcomes.size(), 1u);
    write(3, {});
    wait_for_outcomes(2);
    write(3, {"d"});
    wait_for_commands(4);
    answer(2);
    wait_for_outcomes(3);
    write(4, {});
    answer(3);
    wait_for_outcomes(4);
    EXPECT_EQ(answers, (Answers{{0, 1, ""}, {3, 1, ""}, {3, 1, ""}, {4, 1, ""}}));
}

TEST_F(PipelineTest, writes_are_answered_in_their_order_whichever_command_ends_first) {
    open();
    for (std::uint64_t i = 0; i < 3; ++i) write(i, {"x"});
    wait_for_commands(3);
    for (std::size_t at : {2u, 1u, 0u}) {
        answer(at);
        round_trip();
    }
    wait_for_outcomes(3);
    EXPECT_EQ(answers, (Answers{{0, 1, ""}, {1, 1, ""}, {2, 1, ""}}));
}

TEST_F(PipelineTest, a_write_that_has_nothing_left_to_wait_for_is_answered_at_once) {
    open();
    write(0, {});
    ASSERT_TRUE(eventually([&] { return waiting == 0; }));
    write(0, {"a"});
    write(1, {"b"});
    wait_for_commands(2);
    answer_all();
    ASSERT_TRUE(eventually([&] { return waiting == 0; }));
    EXPECT_EQ(answers, (Answers{{0, 0, ""}, {0, 2, ""}, {1, 0, ""}}));
}

TEST_F(PipelineTest, of_too_many_writes_the_oldest_is_answered_and_nothing_is_lost) {
    options.pipeline_writes = 2;
    open();
    for (std::uint64_t i = 0; i < 4; ++i) write(i, {"x"});
    ASSERT_TRUE(eventually([&] { return waiting == 2; }));
    EXPECT_EQ(answers, (Answers{{0, 0, ""}, {1, 0, ""}}));
    for (std::size_t i = 0; i < 4; ++i) {
        answer(i);
        round_trip();
    }
    write(4, {});
    wait_for_outcomes(4);
}

TEST_F(PipelineTest, a_write_that_its_caller_gave_up_takes_no_outcomes_with_it) {
    open();
    write(0, {"a"});
    wait_for_commands(1);
    writes.clear();
    write(1, {"b"});
    wait_for_commands(2);
    answer_all();
    wait_for_outcomes(2);
    EXPECT_EQ(answers, (Answers{{1, 2, ""}}));
}

TEST_F(PipelineTest, a_write_tells_who_leads_as_far_as_the_host_knows) {
    open();
    write(0, {});
    ASSERT_TRUE(eventually([&] { return waiting == 0; }));
    host.port->leading = "beta";
    write(0, {});
    ASSERT_TRUE(eventually([&] { return waiting == 0; }));
    EXPECT_EQ(answers, (Answers{{0, 0, ""}, {0, 0, "beta"}}));
}

TEST_F(PipelineTest, what_exceeds_the_credit_is_refused_as_overloaded_and_the_rest_goes_on) {
    options.pipeline_commands = 4;
    open();
    write(0, {"0", "1", "2", "3", "4", "5"});
    wait_for_outcomes(2);
    EXPECT_EQ(outcomes[4], "refused 2105");
    EXPECT_EQ(outcomes[5], "refused 2105");
    write(6, {});
    answer_all();
    wait_for_outcomes(6);
    write(6, {"6", "7", "8", "9"});
    wait_for_commands(4);
    round_trip();
    EXPECT_EQ(outcomes.size(), 6u);
}

TEST_F(PipelineTest, credit_counts_bytes_too) {
    options.pipeline_bytes = 1000;
    open();
    write(0, {std::string(600, 'x'), std::string(600, 'y'), std::string(400, 'z')});
    wait_for_outcomes(1);
    EXPECT_EQ(outcomes[1], "refused 2105");
    EXPECT_EQ(host.port->submitted.size(), 2u);
}

TEST_F(PipelineTest, a_client_that_keeps_to_its_credit_is_never_refused) {
    options.pipeline_commands = 16;
    open();
    std::mt19937 random(3);
    std::uint64_t sent = 0;
    while (sent < 500) {
        std::size_t free = 16 - (sent - outcomes.size());
        if (free > 0) {
            std::vector<std::string> commands(1 + random() % free, "c");
            write(sent, commands);
            sent += commands.size();
            wait_for_commands(sent - outcomes.size());
        }
        // Some are answered, in any order.
        auto& open_commands = host.port->submitted;
        for (std::size_t n = 1 + random() % open_commands.size(); n > 0 && !open_commands.empty();
             --n) {
            std::size_t which = random() % open_commands.size();
            auto done = std::move(open_commands[which].done);
            open_commands.erase(open_commands.begin() + static_cast<std::ptrdiff_t>(which));
            done(applied(1, ""));
        }
        if (waiting == 0) write(sent, {});
        wait_for_outcomes(sent - open_commands.size());
    }
    if (waiting == 0) write(sent, {});
    answer_all();
    wait_for_outcomes(sent);
    for (const auto& [correlation, text] : outcomes)
        EXPECT_TRUE(text.starts_with("applied")) << correlation << text;
}

TEST_F(PipelineTest, who_goes_far_beyond_its_credit_is_hung_up_on) {
    options.pipeline_commands = 4;
    open();
    write(0, std::vector<std::string>(30, "x"));
    expect_hung_up();
}

// The first takes the write's answer; what waits behind it is bounded.
TEST_F(PipelineTest, who_does_not_ask_for_large_outcomes_is_hung_up_on) {
    options.congested_bytes = 1 << 20;
    options.stall_timeout = 50ms;
    open();
    leave_large_outcomes_unasked();
    expect_hung_up();
}

// A host that is short of room is less patient: others wait for these answers to be read.
TEST_F(PipelineTest, who_stands_in_the_way_of_others_is_hung_up_on_sooner) {
    options.congested_bytes = 1 << 20;
    options.stall_timeout = 1h;
    options.pressed_timeout = 20ms;
    open();
    leave_large_outcomes_unasked();
    EXPECT_FALSE(scope.run_until([&] { return client->gone; }, 100ms));
    host.short_of_room = true;
    expect_hung_up();
}

// Seventy megabytes within a turn, of a client that keeps to its credit and reads.
TEST_F(PipelineTest, replies_beyond_what_a_connection_queues_come_as_they_are_asked_for) {
    options.congested_bytes = 1 << 20;
    options.max_queued_bytes = 4 << 20;
    open();
    write(0, std::vector<std::string>(70, "x"));
    wait_for_commands(70);
    std::string large(1 << 20, 'r');
    for (auto& one : std::exchange(host.port->submitted, {})) one.done(applied(1, large));
    while (outcomes.size() < 70 && !client->gone) {
        while (waiting < 8) write(70, {});
        std::size_t before = answers.size();
        ASSERT_TRUE(eventually([&] { return answers.size() > before || client->gone; }));
    }
    ASSERT_FALSE(client->gone);
    EXPECT_EQ(twice, 0);
    for (const auto& [correlation, text] : outcomes) EXPECT_EQ(text, "applied " + large);
    for (const Answer& answer : answers)
        EXPECT_LE(answer.outcomes, 2u) << "an answer is not much larger than its bound";
    // And so does what follows.
    write(70, {"y"});
    wait_for_commands(1);
    answer_all();
    wait_for_outcomes(71);
}

TEST_F(PipelineTest, large_replies_come_in_the_order_in_which_they_were_given) {
    options.congested_bytes = 64 << 10;
    options.pipeline_answer_bytes = 16 << 10;
    open();
    write(0, std::vector<std::string>(200, "x"));
    wait_for_commands(200);
    for (auto& one : std::exchange(host.port->submitted, {}))
        one.done(applied(1, std::string(10'000, 'r')));
    while (outcomes.size() < 200) {
        while (waiting < 8) write(200, {});
        std::size_t before = answers.size();
        ASSERT_TRUE(eventually([&] { return answers.size() > before; }));
    }
    EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_F(PipelineTest, commands_of_many_pipelines_count_together) {
    options.max_inflight_bytes = 10 * 256;
    open();
    auto second = got(demo(*client).pipelineRequest().send()).getPipeline();
    write(0, std::vector<std::string>(6, ""));
    write(second, 100, std::vector<std::string>(6, ""));
    wait_for_outcomes(2);
    EXPECT_EQ(host.port->submitted.size(), 10u);
    for (const auto& [correlation, text] : outcomes) {
        EXPECT_GE(correlation, 100u);
        EXPECT_EQ(text, "refused 2105");
    }
    write(second, 106, {});
    answer_all();
    wait_for_outcomes(12);
    write(6, std::vector<std::string>(10, ""));
    wait_for_commands(10);
    answer_all();
    wait_for_outcomes(22);
}

// Found by an attacker: each stayed below its own bound, and all of them together took gigabytes.
TEST_F(PipelineTest, refusals_that_wait_for_many_pipelines_are_bounded_together) {
    options.pipeline_commands = 16;
    options.pipeline_answer_bytes = 1;  // one at a time
    options.max_queued_bytes = 64 << 10;
    open();
    std::vector<schema::Pipeline::Client> others;
    for (int i = 0; i < 20 && !client->gone; ++i) {
        try {
            others.push_back(got(demo(*client).pipelineRequest().send()).getPipeline());
            write(others.back(), 0, std::vector<std::string>(40, "x"));
            round_trip();
        } catch (const kj::Exception&) {
        }
    }
    EXPECT_GT(others.size(), 1u) << "one alone is within its bounds";
    expect_hung_up();
}

TEST_F(PipelineTest, a_write_carries_its_deadline) {
    open();
    for (std::uint32_t ms : {0u, 60'000u}) {
        std::size_t before_it = host.port->submitted.size();
        Time before = loop.now();
        auto request = pipeline.writeRequest();
        request.setTimeoutMs(ms);
        request.initCommands(1);
        writes.push_back(request.send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {}));
        wait_for_commands(before_it + 1);
        Duration given = std::chrono::milliseconds(ms);
        EXPECT_GE(host.port->submitted.back().deadline, before + given);
        EXPECT_LE(host.port->submitted.back().deadline, loop.now() + given);
    }
}

TEST_F(PipelineTest, outcomes_of_a_client_that_is_gone_are_dropped) {
    open();
    write(0, {"a", "b"});
    wait_for_commands(2);
    pipeline = nullptr;
    client.reset();
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 0; }));
    answer_all();
    scope.run_until([] { return false; }, 2ms);
    EXPECT_TRUE(outcomes.empty());
}

TEST_F(PipelineTest, outcomes_may_come_after_the_gateway_itself_is_gone) {
    open();
    write(0, {"a", "b"});
    wait_for_commands(2);
    gateway.reset();
    answer_all();
    EXPECT_TRUE(outcomes.empty());
}

TEST_F(PipelineTest, a_pipeline_that_was_let_go_of_ends_quietly) {
    open();
    write(0, {"a"});
    wait_for_commands(1);
    writes.clear();
    pipeline = nullptr;
    auto group = demo(*client);  // a round trip, by which the release has arrived
    answer_all();
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    EXPECT_TRUE(got(group.submitRequest().send()).getOutcome().isApplied());
    EXPECT_TRUE(outcomes.empty());
}

}  // namespace
}  // namespace quorate::testing
