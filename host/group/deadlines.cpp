#include "host/group/deadlines.hpp"

#include <utility>

namespace quorate::group {

Deadlines::Key Deadlines::add(Time when, Task expired) {
    // Deadlines mostly come in ascending order: the hint makes that constant time.
    Key key = waiting_.emplace_hint(waiting_.end(), when, std::move(expired));
    if (when < armed_) arm(when);
    return key;
}

void Deadlines::clear() {
    waiting_.clear();
    scheduler_.cancel(std::exchange(timer_, 0));
    armed_ = Time::max();
}

void Deadlines::arm(Time when) {
    if (timer_ != 0) scheduler_.cancel(timer_);
    armed_ = when;
    timer_ = scheduler_.at(when, [this] { fire(); });
}

void Deadlines::fire() {
    timer_ = 0;
    armed_ = Time::max();
    Time now = scheduler_.now();
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
        Task expired = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
        expired();
    }
    if (!waiting_.empty() && waiting_.begin()->first < armed_) arm(waiting_.begin()->first);
}

}  // namespace quorate::group
