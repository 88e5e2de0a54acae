#include "host/group/errands.hpp"

#include "host/base/log.hpp"
#include "host/group/locate.hpp"
#include "host/group/roll_call.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

constexpr Duration pause_first = 500ms;
constexpr Duration pause_longest = 10s;

// A host that stops has not done it, and forgets that it was asked.
bool is_heard(const Answer& answer) {
    bool stops = !answer.result && answer.result.error().code == Errc::member_stopped;
    return answer.fate == Fate::answered && !stops;
}

}  // namespace

void Errands::remove_member(HostName host, DeleteMemberRequest request) {
    add(std::move(host), {request, nullptr});
}

void Errands::start_member(HostName host, StartMemberRequest request, SharedKey group) {
    add(std::move(host), {std::move(request), std::move(group)});
}

void Errands::add(HostName host, Errand errand) {
    if (size_ >= home().options().max_errands) {
        log::warning("errand_dropped", "too many requests wait for hosts that are away",
                     {{"host", host}, {"request", std::string(name_of(errand.body))}});
        return;
    }
    auto& queue = errands_[host];
    bool idle = queue.empty();
    queue.push_back(std::move(errand));
    ++size_;
    if (idle) home().operations().run<Done>(run(std::move(host)), [](Done) {});
}

Operation<Done> Errands::run(HostName host) {
    Backoff backoff(pause_first, pause_longest);
    while (!errands_[host].empty()) {
        Time when = home().now() + backoff.next(home().scheduler().random());
        Woken woken = co_await home().waiting().until(when);
        if (woken == Woken::stopping) break;
        if (!home().is_reachable(host)) continue;
        Errand errand = errands_[host].front();
        Wanted wanted = Wanted::yes;
        if (errand.while_member_of) wanted = co_await is_wanted(host, errand.while_member_of);
        if (wanted == Wanted::unknown) continue;
        if (wanted == Wanted::yes) {
            Time until = home().now() + home().options().undo_timeout;
            Answer answer = co_await home().request(host, errand.body, until);
            if (!is_heard(answer)) continue;
        }
        errands_[host].pop_front();
        --size_;
        backoff = Backoff(pause_first, pause_longest);
    }
    errands_.erase(host);
    co_return Done{};
}

bool Errands::is_everybody_here() const {
    RollCall roll = call_roll(home());
    return roll.unmet_seeds.empty() &&
           std::all_of(roll.hosts.begin(), roll.hosts.end(),
                       [this](const HostName& host) { return home().is_reachable(host); });
}

Operation<Errands::Wanted> Errands::is_wanted(HostName host, SharedKey group) {
    Time until = home().attempt_until(Time::max());
    Result<GroupLocation> where = co_await locate_group(home(), *group, until);
    if (!where) {
        // A majority may say so while those who have the group are away.
        bool is_gone = where.error().code == Errc::no_such_group && is_everybody_here();
        co_return is_gone ? Wanted::no : Wanted::unknown;
    }
    const auto& hosts = where->hosts;
    bool member = std::find(hosts.begin(), hosts.end(), host) != hosts.end();
    co_return member ? Wanted::yes : Wanted::no;
}

}  // namespace quorate::group
