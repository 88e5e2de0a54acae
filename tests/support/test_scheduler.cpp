#include "tests/support/test_scheduler.hpp"

#include <stdexcept>
#include <utility>

namespace quorate::testing {
namespace {

constexpr std::int64_t wall_origin_ms = 1'700'000'000'000;
constexpr std::size_t max_tasks_at_one_time = 20'000'000;

}  // namespace

std::int64_t TestScheduler::wall_ms() const {
    return wall_origin_ms +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
}

group::TimerId TestScheduler::at(Time when, Task task) {
    group::TimerId id = ++last_timer_;
    timers_.emplace(TimerKey{when, id}, std::move(task));
    timer_times_.emplace(id, when);
    return id;
}

void TestScheduler::cancel(group::TimerId timer) {
    auto found = timer_times_.find(timer);
    if (found == timer_times_.end()) return;
    timers_.erase({found->second, timer});
    timer_times_.erase(found);
}

bool TestScheduler::run_one() {
    if (!ready_.empty()) {
        Task task = std::move(ready_.front());
        ready_.pop_front();
        task();
        return true;
    }
    return !held_ && run_background_once();
}

bool TestScheduler::run_background_once() {
    if (background_.empty()) return false;
    Task work = std::move(background_.front());
    background_.pop_front();
    work();
    return true;
}

void TestScheduler::run_ready() {
    std::size_t tasks = 0;
    while (run_one()) {
        if (++tasks > max_tasks_at_one_time) throw std::runtime_error("tasks post tasks for ever");
    }
}

bool TestScheduler::fire_next_before(Time limit) {
    if (timers_.empty() || timers_.begin()->first.first > limit) return false;
    auto next = timers_.extract(timers_.begin());
    timer_times_.erase(next.key().second);
    now_ = std::max(now_, next.key().first);
    next.mapped()();
    run_ready();
    return true;
}

void TestScheduler::run_for(Duration duration) {
    Time end = now_ + duration;
    run_ready();
    while (fire_next_before(end)) {
    }
    now_ = end;
}

bool TestScheduler::run_until(const std::function<bool()>& condition, Duration limit) {
    Time end = now_ + limit;
    run_ready();
    while (!condition()) {
        if (!fire_next_before(end)) {
            now_ = end;
            return condition();
        }
    }
    return true;
}

}  // namespace quorate::testing
