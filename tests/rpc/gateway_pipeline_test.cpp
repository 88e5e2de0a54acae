#include "tests/rpc/gateway_fixture.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace quorate::testing {
namespace {

// What the gateway pushes. While `held`, calls are not answered.
class Sink final : public schema::PipelineSink::Server {
 public:
    struct Record {
        std::map<std::uint64_t, std::string> outcomes;
        std::vector<std::uint64_t> order;
        std::vector<std::size_t> batches;
        int twice = 0;
        bool held = false;
        kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> waiting;

        void release() {
            held = false;
            for (auto& one : waiting) one->fulfill();
            waiting.clear();
        }
    };
    explicit Sink(Record& record) : record_(record) {}

    kj::Promise<void> outcomes(OutcomesContext context) override {
        auto list = context.getParams().getOutcomes();
        record_.batches.push_back(list.size());
        for (auto one : list) {
            auto outcome = one.getOutcome();
            std::string text =
                outcome.isApplied() ? "applied " + to_text(outcome.getApplied().getReply())
                : outcome.isUnknown()
                    ? "unknown"
                    : "refused " + std::to_string(outcome.getNotApplied().getWhy().getCode());
            record_.order.push_back(one.getCorrelation());
            record_.twice += !record_.outcomes.emplace(one.getCorrelation(), text).second;
        }
        if (!record_.held) return kj::READY_NOW;
        auto pair = kj::newPromiseAndFulfiller<void>();
        record_.waiting.add(kj::mv(pair.fulfiller));
        return kj::mv(pair.promise);
    }

 private:
    Record& record_;
};

class PipelineTest : public GatewayTest {
 public:
    ~PipelineTest() noexcept override {}  // capabilities' own may throw

 protected:
    void open() {
        serve();
        client = connect();
        auto request = demo(*client).pipelineRequest();
        request.setSink(kj::heap<Sink>(record));
        auto answer = got(request.send());
        pipeline = answer.getPipeline();
        EXPECT_EQ(answer.getCreditCommands(), options.pipeline_commands);
        EXPECT_EQ(answer.getCreditBytes(), options.pipeline_bytes);
    }
    auto write(std::uint64_t first, const std::vector<std::string>& commands) {
        auto request = pipeline.writeRequest();
        request.setFirst(first);
        request.setTimeoutMs(60'000);
        auto list = request.initCommands(static_cast<unsigned>(commands.size()));
        for (unsigned i = 0; i < commands.size(); ++i) list.set(i, to_data(commands[i]));
        return request.send();
    }
    void answer_all() {
        for (auto& one : std::exchange(host.port->submitted, {})) one.done(applied(1, one.command));
    }

    Sink::Record record;
    std::unique_ptr<TestClient> client;
    schema::Pipeline::Client pipeline = nullptr;
};

TEST_F(PipelineTest, every_command_gets_its_outcome_once_under_its_correlation) {
    open();
    got(write(10, {"a", "b", "c"}));
    ASSERT_EQ(host.port->submitted.size(), 3u);
    host.port->submitted[1].done(group::NotApplied{fail(Errc::no_leader, "none"), ""});
    host.port->submitted[2].done(group::Unknown{fail(Errc::leadership_lost, "lost")});
    host.port->submitted[0].done(applied(1, "A"));
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 3; }));
    EXPECT_EQ(record.outcomes[10], "applied A");
    EXPECT_EQ(record.outcomes[11], "refused 2103");
    EXPECT_EQ(record.outcomes[12], "unknown");
    EXPECT_EQ(record.twice, 0);
}

TEST_F(PipelineTest, what_is_answered_in_one_turn_comes_in_one_call) {
    open();
    std::vector<std::string> commands(1000, "x");
    got(write(0, commands));
    answer_all();
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 1000; }));
    EXPECT_EQ(record.batches, std::vector<std::size_t>{1000});
}

TEST_F(PipelineTest, a_write_tells_who_leads_as_far_as_the_host_knows) {
    open();
    EXPECT_EQ(got(write(0, {"a"})).getLeader(), "");
    host.port->leading = "beta";
    EXPECT_EQ(got(write(1, {"b"})).getLeader(), "beta");
}

TEST_F(PipelineTest, what_exceeds_the_credit_is_refused_as_overloaded_and_the_rest_goes_on) {
    options.pipeline_commands = 4;
    open();
    got(write(0, {"0", "1", "2", "3", "4", "5"}));
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 2; }));
    EXPECT_EQ(record.outcomes[4], "refused 2105");
    EXPECT_EQ(record.outcomes[5], "refused 2105");
    answer_all();
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 6; }));
    got(write(6, {"6", "7", "8", "9"}));
    EXPECT_EQ(host.port->submitted.size(), 4u);
    EXPECT_EQ(record.outcomes.size(), 6u);
}

TEST_F(PipelineTest, credit_counts_bytes_too) {
    options.pipeline_bytes = 1000;
    open();
    got(write(0, {std::string(600, 'x'), std::string(600, 'y'), std::string(400, 'z')}));
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 1; }));
    EXPECT_EQ(record.outcomes[1], "refused 2105");
    EXPECT_EQ(host.port->submitted.size(), 2u);
}

TEST_F(PipelineTest, a_client_that_keeps_to_its_credit_is_never_refused) {
    options.pipeline_commands = 16;
    open();
    std::mt19937 random(3);
    std::uint64_t sent = 0;
    while (sent < 500) {
        std::size_t free = 16 - (sent - record.outcomes.size());
        if (free > 0) {
            std::vector<std::string> commands(1 + random() % free, "c");
            got(write(sent, commands));
            sent += commands.size();
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
        std::size_t answered = sent - open_commands.size();
        ASSERT_TRUE(eventually([&] { return record.outcomes.size() == answered; }));
    }
    answer_all();
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == sent; }));
    for (const auto& [correlation, text] : record.outcomes)
        EXPECT_TRUE(text.starts_with("applied")) << correlation << text;
    EXPECT_EQ(record.twice, 0);
}

TEST_F(PipelineTest, a_slow_sink_gets_larger_batches_not_more_calls) {
    options.pipeline_pushes = 2;
    open();
    record.held = true;
    for (std::uint64_t i = 0; i < 20; ++i) {
        got(write(i, {"x"}));
        answer_all();
        scope.run_until([] { return false; }, 1ms);
    }
    EXPECT_EQ(record.batches.size(), 2u);
    record.release();
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 20; }));
    EXPECT_LE(record.batches.size(), 4u);
}

TEST_F(PipelineTest, who_goes_far_beyond_its_credit_is_hung_up_on) {
    options.pipeline_commands = 4;
    options.pipeline_pushes = 1;
    open();
    record.held = true;
    std::vector<std::string> many(10, "x");
    for (std::uint64_t i = 0; i < 10 && !client->gone; ++i) {
        try {
            got(write(i * 10, many));
        } catch (const kj::Exception&) {
        }
    }
    EXPECT_TRUE(eventually([&] { return client->gone; }));
    EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
}

TEST_F(PipelineTest, who_does_not_take_large_outcomes_is_hung_up_on) {
    options.pipeline_pushes = 1;
    options.congested_bytes = 1 << 20;
    options.stall_timeout = 50ms;
    open();
    record.held = true;
    std::string large(256 << 10, 'r');
    host.port->on_submit = [&](auto& s) { s.done(applied(1, large)); };
    // The first call holds what was ready; what waits behind it is bounded.
    for (std::uint64_t i = 0; i < 40 && !client->gone; ++i) {
        try {
            got(write(i, {"x"}));
        } catch (const kj::Exception&) {
        }
    }
    EXPECT_TRUE(eventually([&] { return client->gone; }));
    EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
}

// A host that is short of room is less patient: others wait for these answers to be read.
TEST_F(PipelineTest, who_stands_in_the_way_of_others_is_hung_up_on_sooner) {
    options.pipeline_pushes = 1;
    options.congested_bytes = 1 << 20;
    options.stall_timeout = 1h;
    options.pressed_timeout = 20ms;
    open();
    record.held = true;
    std::string large(256 << 10, 'r');
    host.port->on_submit = [&](auto& s) { s.done(applied(1, large)); };
    for (std::uint64_t i = 0; i < 10; ++i) got(write(i, {"x"}));
    scope.run_until([] { return false; }, 100ms);
    EXPECT_FALSE(client->gone);
    host.short_of_room = true;
    EXPECT_TRUE(eventually([&] { return client->gone; }));
    EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
}

// Seventy megabytes within a turn, of a client that keeps to its credit and reads.
TEST_F(PipelineTest, replies_beyond_what_a_connection_queues_come_as_they_are_read) {
    options.congested_bytes = 1 << 20;
    options.max_queued_bytes = 4 << 20;
    open();
    got(write(0, std::vector<std::string>(70, "x")));
    std::string large(1 << 20, 'r');
    for (auto& one : std::exchange(host.port->submitted, {})) one.done(applied(1, large));
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 70 || client->gone; }));
    EXPECT_FALSE(client->gone);
    EXPECT_EQ(record.twice, 0);
    for (const auto& [correlation, text] : record.outcomes) EXPECT_EQ(text, "applied " + large);
    EXPECT_GE(record.batches.size(), 35u) << "a call is not much larger than push_bytes";
    // And so does what follows.
    got(write(70, {"y"}));
    answer_all();
    EXPECT_TRUE(eventually([&] { return record.outcomes.size() == 71; }));
}

TEST_F(PipelineTest, large_replies_come_in_the_order_in_which_they_were_given) {
    options.congested_bytes = 64 << 10;
    options.push_bytes = 16 << 10;
    open();
    got(write(0, std::vector<std::string>(200, "x")));
    for (auto& one : std::exchange(host.port->submitted, {}))
        one.done(applied(1, std::string(10'000, 'r')));
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 200; }));
    EXPECT_TRUE(std::ranges::is_sorted(record.order));
}

TEST_F(PipelineTest, commands_of_many_pipelines_count_together) {
    options.max_inflight_bytes = 10 * 256;
    open();
    auto second = demo(*client).pipelineRequest();
    Sink::Record other;
    second.setSink(kj::heap<Sink>(other));
    auto answer = got(second.send());
    got(write(0, std::vector<std::string>(6, "")));
    auto request = answer.getPipeline().writeRequest();
    request.initCommands(6);
    request.setTimeoutMs(60'000);
    got(request.send());
    ASSERT_TRUE(eventually([&] { return other.outcomes.size() == 2; }));
    EXPECT_EQ(host.port->submitted.size(), 10u);
    for (const auto& [correlation, text] : other.outcomes) EXPECT_EQ(text, "refused 2105");
    answer_all();
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() + other.outcomes.size() == 12; }));
    got(write(6, std::vector<std::string>(10, "")));
    EXPECT_EQ(host.port->submitted.size(), 10u);
    answer_all();
    ASSERT_TRUE(eventually([&] { return record.outcomes.size() == 16; }));
}

// Found by an attacker: each stayed below its own bound, and all of them together took gigabytes.
TEST_F(PipelineTest, refusals_that_wait_for_many_sinks_are_bounded_together) {
    options.pipeline_commands = 16;
    options.pipeline_pushes = 1;
    options.max_queued_bytes = 64 << 10;
    open();
    record.held = true;
    std::vector<schema::Pipeline::Client> others;
    for (int i = 0; i < 20 && !client->gone; ++i) {
        try {
            auto opened = demo(*client).pipelineRequest();
            opened.setSink(kj::heap<Sink>(record));
            others.push_back(got(opened.send()).getPipeline());
            for (int write = 0; write < 2; ++write) {
                auto request = others.back().writeRequest();
                request.initCommands(40);
                request.setTimeoutMs(60'000);
                got(request.send());
            }
        } catch (const kj::Exception&) {
        }
    }
    EXPECT_TRUE(eventually([&] { return client->gone; }));
    EXPECT_GT(others.size(), 1u) << "one alone is within its bounds";
    EXPECT_TRUE(eventually([&] { return gateway->connections() == 0; }));
}

TEST_F(PipelineTest, a_write_carries_its_deadline) {
    open();
    for (std::uint32_t ms : {0u, 60'000u}) {
        Time before = loop.now();
        auto request = pipeline.writeRequest();
        request.setTimeoutMs(ms);
        request.initCommands(1);
        got(request.send());
        Duration given = std::chrono::milliseconds(ms);
        EXPECT_GE(host.port->submitted.back().deadline, before + given);
        EXPECT_LE(host.port->submitted.back().deadline, loop.now() + given);
    }
}

TEST_F(PipelineTest, outcomes_of_a_client_that_is_gone_are_dropped) {
    open();
    got(write(0, {"a", "b"}));
    pipeline = nullptr;
    client.reset();
    ASSERT_TRUE(eventually([&] { return gateway->connections() == 0; }));
    answer_all();
    scope.run_until([] { return false; }, 2ms);
    EXPECT_TRUE(record.outcomes.empty());
}

TEST_F(PipelineTest, outcomes_may_come_after_the_gateway_itself_is_gone) {
    open();
    got(write(0, {"a", "b"}));
    gateway.reset();
    answer_all();
    EXPECT_TRUE(record.outcomes.empty());
}

TEST_F(PipelineTest, a_pipeline_that_was_let_go_of_ends_quietly) {
    open();
    got(write(0, {"a"}));
    pipeline = nullptr;
    auto group = demo(*client);  // a round trip, by which the release has arrived
    answer_all();
    host.port->on_submit = [](auto& s) { s.done(applied(1, "")); };
    EXPECT_TRUE(got(group.submitRequest().send()).getOutcome().isApplied());
    EXPECT_TRUE(record.outcomes.empty());
}

}  // namespace
}  // namespace quorate::testing
