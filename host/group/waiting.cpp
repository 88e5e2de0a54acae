#include "host/group/waiting.hpp"

#include <vector>

namespace quorate::group {

Waiting::~Waiting() {
    for (auto& [key, sleeper] : sleepers_) scheduler_.cancel(sleeper.timer);
}

Operation<Woken> Waiting::until(Time when, GroupId group) {
    if (stopping_) co_return Woken::stopping;
    Later<Woken> woken;
    std::uint64_t key = ++last_;
    TimerId timer = scheduler_.at(when, [this, key] { rouse(key, Woken::timer); });
    sleepers_.emplace(key, Sleeper{group, timer, woken.callback()});
    if (group) by_group_[group].insert(key);
    Woken why = co_await woken;
    co_return why;
}

void Waiting::wake(GroupId group) {
    auto found = by_group_.extract(group);
    if (found.empty()) return;
    std::vector<std::uint64_t> keys(found.mapped().begin(), found.mapped().end());
    std::sort(keys.begin(), keys.end());  // first come, first woken
    for (std::uint64_t key : keys) rouse(key, Woken::event);
}

void Waiting::stop() {
    stopping_ = true;
    std::vector<std::uint64_t> keys;
    for (auto& [key, sleeper] : sleepers_) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    for (std::uint64_t key : keys) rouse(key, Woken::stopping);
}

void Waiting::rouse(std::uint64_t key, Woken why) {
    auto sleeper = sleepers_.extract(key);
    if (sleeper.empty()) return;
    if (auto group = by_group_.find(sleeper.mapped().group); group != by_group_.end()) {
        group->second.erase(key);
        if (group->second.empty()) by_group_.erase(group);
    }
    scheduler_.cancel(sleeper.mapped().timer);
    sleeper.mapped().wake(why);
}

}  // namespace quorate::group
