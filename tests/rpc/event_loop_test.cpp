#include "rpc/loop/event_loop.hpp"

#include "rpc/loop/worker_pool.hpp"
#include "tests/rpc/loop_fixture.hpp"

#include <kj/async.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <thread>

namespace quorate::testing {
namespace {

// Loops that sleep when there is nothing to do, and loops that go on looking.
class EventLoopTest : public LoopTest, public ::testing::WithParamInterface<Duration> {
 protected:
    void SetUp() override { loop.set_busy_poll(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(BusyPoll, EventLoopTest, ::testing::Values(0ns, 100us, 1h),
                         [](const ::testing::TestParamInfo<Duration>& each) {
                             return std::to_string(each.param / 1us) + "us";
                         });

TEST_P(EventLoopTest, runs_posted_tasks_in_order) {
    std::vector<int> ran;
    for (int i = 0; i < 1000; ++i) loop.post([&ran, i] { ran.push_back(i); });
    ASSERT_TRUE(eventually([&] { return ran.size() == 1000; }));
    EXPECT_TRUE(std::ranges::is_sorted(ran));
}

TEST_P(EventLoopTest, is_woken_by_a_task_from_another_thread) {
    std::thread::id ran_on;
    std::thread other([&] { loop.post([&] { ran_on = std::this_thread::get_id(); }); });
    EXPECT_TRUE(eventually([&] { return ran_on != std::thread::id(); }));
    other.join();
    EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_P(EventLoopTest, fires_timers_in_order_of_their_time_whatever_the_order_of_arming) {
    std::vector<int> fired;
    Time start = loop.now();
    loop.at(start + 3ms, [&] { fired.push_back(3); });
    loop.at(start + 1ms, [&] { fired.push_back(1); });
    loop.at(start + 2ms, [&] { fired.push_back(2); });
    ASSERT_TRUE(eventually([&] { return fired.size() == 3; }));
    EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
    EXPECT_GE(loop.now() - start, 3ms);
}

TEST_P(EventLoopTest,
       does_not_fire_a_cancelled_timer_even_if_a_timer_of_the_same_moment_cancels_it) {
    bool fired = false;
    bool later = false;
    Time when = loop.now() + 1ms;
    loop::TimerId victim = 0;
    loop.at(when, [&] { loop.cancel(victim); });
    victim = loop.at(when, [&] { fired = true; });
    loop.at(when + 1ms, [&] { later = true; });
    ASSERT_TRUE(eventually([&] { return later; }));
    EXPECT_FALSE(fired);
    loop.cancel(victim);
    loop.cancel(0);
}

TEST_P(EventLoopTest, a_timer_may_arm_itself_again_without_starving_the_rest) {
    int fired = 0;
    bool posted = false;
    std::function<void()> again = [&] {
        ++fired;
        loop.at(loop.now(), again);
    };
    again();
    loop.post([&] { posted = true; });
    EXPECT_TRUE(eventually([&] { return posted && fired > 100; }));
}

TEST_P(EventLoopTest, kj_promises_and_asio_tasks_take_turns) {
    // Each side keeps itself busy for ever; both must get on.
    int kj_steps = 0;
    int asio_steps = 0;
    bool stop = false;
    std::function<kj::Promise<void>()> kj_side = [&]() -> kj::Promise<void> {
        ++kj_steps;
        return stop ? kj::Promise<void>(kj::READY_NOW) : kj::evalLater(kj_side);
    };
    std::function<void()> asio_side = [&] {
        ++asio_steps;
        if (!stop) loop.post(asio_side);
    };
    auto promise = kj_side().eagerlyEvaluate(nullptr);
    asio_side();
    EXPECT_TRUE(eventually([&] { return kj_steps > 10'000 && asio_steps > 10'000; }));
    stop = true;
    promise.wait(scope.kj());
}

TEST_P(EventLoopTest, a_promise_can_be_waited_for_while_asio_runs) {
    auto pair = kj::newPromiseAndFulfiller<int>();
    loop.at(loop.now() + 1ms, [&] { pair.fulfiller->fulfill(42); });
    EXPECT_EQ(pair.promise.wait(scope.kj()), 42);
}

TEST_P(EventLoopTest, run_until_gives_up_at_its_time) {
    EXPECT_FALSE(scope.run_until([] { return false; }, 5ms));
}

TEST_P(EventLoopTest, stop_ends_run_even_if_it_comes_first) {
    loop.stop();
    scope.run();
    SUCCEED();
}

TEST_P(EventLoopTest, a_signal_becomes_a_call) {
    int caught = 0;
    loop.on_signals({SIGUSR1}, [&](int signal) { caught += signal == SIGUSR1 ? 1 : 100; });
    std::raise(SIGUSR1);
    ASSERT_TRUE(eventually([&] { return caught == 1; }));
    std::raise(SIGUSR1);
    EXPECT_TRUE(eventually([&] { return caught == 2; }));
}

TEST_P(EventLoopTest, background_work_reports_by_post) {
    loop::WorkerPool pool(2);
    std::thread::id worked_on;
    bool reported = false;
    pool.post([&] {
        worked_on = std::this_thread::get_id();
        loop.post([&] { reported = true; });
    });
    ASSERT_TRUE(eventually([&] { return reported; }));
    EXPECT_NE(worked_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace quorate::testing
