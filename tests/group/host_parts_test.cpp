#include "host/group/calls.hpp"
#include "host/group/names.hpp"
#include "host/group/operation.hpp"
#include "host/group/registry.hpp"
#include "host/group/requests.hpp"
#include "host/group/waiting.hpp"
#include "tests/support/test_scheduler.hpp"

#include <gtest/gtest.h>

#include <set>

// The parts of a host that stand alone.
namespace quorate::testing {
namespace {

using namespace quorate::group;

// ---- registry -----------------------------------------------------------------------------------

Registry::Entry entry(const std::string& name, std::uint64_t id) {
    Registration registration;
    registration.name = name;
    registration.group = GroupId(id);
    return std::make_shared<const Registration>(registration);
}

TEST(Registry, finds_what_was_added_and_not_what_was_taken_out) {
    auto registry = std::make_shared<const Registry>();
    for (std::uint64_t i = 1; i <= 2000; ++i) {
        registry = registry->with(entry("group" + std::to_string(i), i));
    }
    auto before = registry;
    for (std::uint64_t i = 1; i <= 2000; i += 2) {
        registry = registry->without("group" + std::to_string(i));
    }
    registry = registry->without("never there");
    EXPECT_EQ(registry->size(), 1000u);
    EXPECT_EQ(registry->entries().size(), 1000u);
    for (std::uint64_t i = 1; i <= 2000; ++i) {
        auto found = registry->find("group" + std::to_string(i));
        EXPECT_EQ(found != nullptr, i % 2 == 0) << i;
        if (found) {
            EXPECT_EQ(found->group, GroupId(i));
        }
        EXPECT_NE(before->find("group" + std::to_string(i)), nullptr) << "a value does not change";
    }
}

// ---- operations ---------------------------------------------------------------------------------

Operation<int> add_later(Later<int>& a, Later<int>& b) {
    int first = co_await a;
    int second = co_await b;
    co_return first + second;
}
Operation<int> twice(Later<int>& a, Later<int>& b) {
    int sum = co_await add_later(a, b);
    co_return 2 * sum;
}

TEST(Operation, waits_for_answers_that_come_before_or_after_they_are_awaited) {
    Operations operations;
    Later<int> a, b;
    auto answer_a = a.callback();
    auto answer_b = b.callback();
    int result = 0;
    answer_b(20);
    operations.run<int>(twice(a, b), [&result](int value) { result = value; });
    EXPECT_EQ(result, 0);
    EXPECT_FALSE(operations.empty());
    answer_a(1);
    EXPECT_EQ(result, 42);
    EXPECT_TRUE(operations.empty());
    answer_a(5);
    answer_b(5);
    EXPECT_EQ(result, 42) << "only the first answer counts";
}

Operation<int> hold(std::shared_ptr<int> token, std::function<void(int)>* answer) {
    Later<int> later;
    *answer = later.callback();
    int got = co_await later;
    co_return *token + got;
}

TEST(Operation, in_flight_is_destroyed_with_its_owner_and_late_answers_find_nothing) {
    auto token = std::make_shared<int>(1);
    std::function<void(int)> answer;
    bool done = false;
    {
        Operations operations;
        operations.run<int>(hold(token, &answer), [&done](int) { done = true; });
        EXPECT_EQ(token.use_count(), 2);
    }
    EXPECT_EQ(token.use_count(), 1) << "the frame is gone";
    answer(7);
    EXPECT_FALSE(done);
}

TEST(Operation, that_is_never_run_is_destroyed_too) {
    auto token = std::make_shared<int>(1);
    std::function<void(int)> answer;
    { auto never = hold(token, &answer); }
    EXPECT_EQ(token.use_count(), 1);
}

Operation<int> failing() {
    Result<int> failed = fail(Errc::io, "no");
    auto inner = [](Result<int> result) -> Operation<Result<int>> {
        CO_TRY(int value, std::move(result));
        co_return value + 1;
    };
    Result<int> got = co_await inner(failed);
    co_return got ? 0 : static_cast<int>(got.error().code);
}

TEST(Operation, gives_the_error_that_co_try_met) {
    Operations operations;
    int result = 0;
    operations.run<int>(failing(), [&result](int value) { result = value; });
    EXPECT_EQ(result, static_cast<int>(Errc::io));
}

// ---- calls --------------------------------------------------------------------------------------

TEST(Calls, answer_once_whoever_comes_first) {
    TestScheduler scheduler;
    Calls calls(scheduler);
    std::vector<std::string> told;
    auto open = [&](const std::string& what, Duration within) {
        return calls.open<int>(what, scheduler.now() + within, [&told, what](Result<int> result) {
            told.push_back(what + " " +
                           (result ? std::to_string(*result) : to_string(result.error())));
        });
    };
    auto early = open("early", 1s);
    auto late = open("late", 1s);
    auto abandoned = open("abandoned", 10s);
    early(1);
    early(2);
    scheduler.run_for(2s);
    late(3);
    calls.abandon(fail(Errc::member_stopped, "the host stops"));
    abandoned(4);
    EXPECT_EQ(told, (std::vector<std::string>{
                        "early 1",
                        "late QR-2106 deadline_exceeded: late: the deadline came before the answer",
                        "abandoned QR-2108 member_stopped: abandoned: the host stops"}));
    EXPECT_EQ(calls.size(), 0u);
}

// ---- waiting ------------------------------------------------------------------------------------

TEST(Waiting, ends_with_time_an_event_of_the_group_or_the_stop) {
    TestScheduler scheduler;
    Operations operations;
    Waiting waiting(scheduler);
    std::vector<std::string> woken;
    auto wait = [&](const std::string& who, Duration time, std::uint64_t group) {
        operations.run<Woken>(waiting.until(scheduler.now() + time, GroupId(group)),
                              [&woken, who](Woken why) {
                                  woken.push_back(who + std::to_string(static_cast<int>(why)));
                              });
    };
    wait("a", 1s, 1);
    wait("b", 5s, 1);
    wait("c", 5s, 2);
    wait("d", 5s, 0);
    scheduler.run_for(2s);
    waiting.wake(GroupId(1));
    waiting.wake(GroupId(3));
    waiting.stop();
    wait("e", 5s, 0);
    scheduler.run_for(10s);
    EXPECT_EQ(woken, (std::vector<std::string>{"a0", "b1", "c2", "d2", "e2"}));
    EXPECT_EQ(waiting.size(), 0u);
}

TEST(Backoff, grows_to_its_limit_with_jitter_of_at_most_half) {
    Backoff backoff(10ms, 40ms);
    EXPECT_EQ(backoff.next(0), 10ms);
    EXPECT_LE(backoff.next(~0ull), 30ms);
    EXPECT_EQ(backoff.next(0), 40ms);
    EXPECT_EQ(backoff.next(0), 40ms);
}

// ---- requests -----------------------------------------------------------------------------------

struct Wire final : Transport {
    void send(const HostName& to, PeerMessage message) override {
        sent.emplace_back(to, std::get<Request>(std::move(message)));
    }
    std::vector<std::pair<HostName, Request>> sent;
};

struct RequestsTest : ::testing::Test {
    std::string fate(const Answer& answer) {
        std::string text = answer.fate == Fate::answered   ? "answered "
                           : answer.fate == Fate::not_sent ? "not_sent "
                                                           : "lost ";
        return text +
               (answer.result ? "well" : std::string(error_info(answer.result.error().code).name));
    }
    void send(const std::string& to, Duration within = 1s) {
        requests.send(to, PingRequest{}, scheduler.now() + within,
                      [this](Answer answer) { told.push_back(fate(answer)); });
    }
    Response response(std::uint64_t id) { return {id, false, {Errc::internal, {}, {}}, Done{}}; }

    TestScheduler scheduler{5};
    Wire wire;
    Requests requests{scheduler, wire, 3};
    std::vector<std::string> told;
    using Told = std::vector<std::string>;
};

TEST_F(RequestsTest, are_answered_by_the_host_that_was_asked_and_once) {
    requests.connected("a");
    requests.connected("b");
    send("a");
    std::uint64_t id = wire.sent.at(0).second.id;
    EXPECT_EQ(Requests::shard_of(id), 3u);
    EXPECT_EQ(wire.sent[0].second.remaining, 1s);
    requests.receive("b", response(id));
    requests.receive("a", response(id + 256));
    EXPECT_EQ(told, Told{});
    requests.receive("a", response(id));
    requests.receive("a", response(id));
    EXPECT_EQ(told, Told{"answered well"});
    scheduler.run_for(2s);
    EXPECT_EQ(told, Told{"answered well"});
}

TEST_F(RequestsTest, are_not_sent_without_a_connection_or_time) {
    send("a");
    requests.connected("a");
    send("a", 0s);
    requests.stop(fail(Errc::member_stopped, "stopping"));
    send("a");
    EXPECT_EQ(told, (Told{"not_sent unreachable", "not_sent deadline_exceeded",
                          "not_sent member_stopped"}));
    EXPECT_TRUE(wire.sent.empty());
}

TEST_F(RequestsTest, are_lost_at_the_deadline_the_disconnection_or_the_stop) {
    requests.connected("a");
    requests.connected("b");
    send("a", 1s);
    send("a", 5s);
    send("b", 5s);
    scheduler.run_for(2s);
    EXPECT_EQ(told, Told{"lost deadline_exceeded"});
    requests.disconnected("a");
    EXPECT_EQ(told.back(), "lost unreachable");
    EXPECT_EQ(requests.size(), 1u);
    requests.stop(fail(Errc::member_stopped, "stopping"));
    EXPECT_EQ(told.back(), "lost member_stopped");
    EXPECT_EQ(told.size(), 3u);
}

TEST_F(RequestsTest, have_ids_that_a_former_life_did_not_use) {
    requests.connected("a");
    TestScheduler other_life{6};
    Requests later{other_life, wire, 3};
    later.connected("a");
    std::set<std::uint64_t> ids;
    for (int i = 0; i < 100; ++i) {
        send("a");
        later.send("a", PingRequest{}, other_life.now() + 1s, [](Answer) {});
    }
    for (const auto& [to, request] : wire.sent) ids.insert(request.id);
    EXPECT_EQ(ids.size(), 200u);
}

TEST(SeenRequests, forgets_the_oldest_of_each_host) {
    SeenRequests seen(2);
    EXPECT_TRUE(seen.first_time("a", 1));
    EXPECT_FALSE(seen.first_time("a", 1));
    EXPECT_TRUE(seen.first_time("b", 1));
    EXPECT_TRUE(seen.first_time("a", 2));
    EXPECT_FALSE(seen.first_time("a", 1));
    EXPECT_TRUE(seen.first_time("a", 3));
    EXPECT_FALSE(seen.first_time("a", 2));
    EXPECT_TRUE(seen.first_time("a", 1)) << "out of the window";
}

TEST(Names, in_errors_are_safe_to_print) {
    EXPECT_EQ(group::quoted("a\n\x1b'z"), "'a\\x0a\\x1b'z'");
    EXPECT_EQ(group::quoted(std::string(1000, 'a')), "'" + std::string(128, 'a') + "...'");
}

}  // namespace
}  // namespace quorate::testing
