#include "tests/sim/sim_loop.hpp"

#include <vector>

namespace quorate::sim {

SimLoop::EventId SimLoop::at(Time when, Owner owner, Task task) {
    EventId id = ++last_id_;
    when = std::max(when, now_);
    queue_.emplace(Key{when, id}, Event{owner, std::move(task)});
    times_.emplace(id, when);
    return id;
}

void SimLoop::cancel(EventId id) {
    auto found = times_.find(id);
    if (found == times_.end()) return;
    auto event = queue_.extract(Key{found->second, id});
    times_.erase(found);
}

void SimLoop::drop(Owner owner) {
    // Destroying a task may schedule or cancel others: take them out first, and look again.
    std::vector<Task> dropped;
    do {
        dropped.clear();
        for (auto at = queue_.begin(); at != queue_.end();) {
            if (at->second.owner != owner) {
                ++at;
                continue;
            }
            dropped.push_back(std::move(at->second.task));
            times_.erase(at->first.second);
            at = queue_.erase(at);
        }
    } while (!dropped.empty());
}

bool SimLoop::run_next(Time end) {
    if (queue_.empty() || queue_.begin()->first.first > end) {
        now_ = std::max(now_, end);
        return false;
    }
    auto event = queue_.extract(queue_.begin());
    now_ = event.key().first;
    times_.erase(event.key().second);
    ++ran_;
    mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ (event.key().second << 32));
    event.mapped().task();
    return true;
}

}  // namespace quorate::sim
