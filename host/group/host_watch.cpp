#include "host/group/host_watch.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {

void HostWatch::watch(const HostName& host) {
    if (stopped_) return;
    auto [place, is_new] = watched_.try_emplace(host);
    if (!is_new) return;
    place->second.heard = scheduler_.now();
    ask(host);
    if (timer_ == 0) {
        due_ = scheduler_.now() + times_.interval;
        timer_ = scheduler_.at(due_, [this] { beat(); });
    }
}

void HostWatch::stop() {
    scheduler_.cancel(std::exchange(timer_, 0));
    watched_.clear();
    stopped_ = true;
}

void HostWatch::ask(const HostName& host) {
    transport_.send(host, Beat{.incarnation = incarnation_});
}

// A host that was itself held up (suspended, starved of its processor) has not heard because it did not
// listen: that time does not count.
void HostWatch::beat() {
    Duration late = std::max(Duration{}, scheduler_.now() - due_);
    for (auto& [host, watched] : watched_) {
        watched.heard = std::min(scheduler_.now(), watched.heard + late);
        look(host, watched);
        ask(host);
    }
    due_ = scheduler_.now() + times_.interval;
    timer_ = scheduler_.at(due_, [this] { beat(); });
}

void HostWatch::look(const HostName& host, Watched& watched) {
    Time now = scheduler_.now();
    bool parted = watched.apart && now >= *watched.apart + times_.grace;
    if (watched.silent || (!parted && now < watched.heard + times_.silence)) return;
    watched.silent = true;
    told_(host, HostNews::silent);
}

void HostWatch::receive(const HostName& from, const Beat& beat) {
    if (!beat.answer) return transport_.send(from, Beat{incarnation_, true});
    auto found = watched_.find(from);
    if (found == watched_.end()) return;
    Watched& watched = found->second;
    watched.heard = scheduler_.now();
    watched.apart.reset();
    std::uint64_t before = std::exchange(watched.incarnation, beat.incarnation);
    bool was_silent = std::exchange(watched.silent, false);
    if (before != 0 && before != beat.incarnation) {
        told_(from, HostNews::restarted);
    } else if (was_silent) {
        told_(from, HostNews::answers);
    }
}

void HostWatch::connected(const HostName& host) {
    if (watched_.contains(host)) ask(host);
}

void HostWatch::disconnected(const HostName& host) {
    auto found = watched_.find(host);
    if (found == watched_.end()) return;
    Time since = scheduler_.now();
    found->second.apart = since;
    scheduler_.at(since + times_.grace, [this, host, since] {
        auto watched = watched_.find(host);
        if (watched != watched_.end() && watched->second.apart == since)
            look(host, watched->second);
    });
}

}  // namespace quorate::group
