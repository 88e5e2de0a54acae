#include "host/group/reservations.hpp"

#include "host/group/names.hpp"

#include <algorithm>

namespace quorate::group {

Result<void> Reservations::take(const ReserveNameRequest& wanted, Time now, Time until) {
    TRY_VOID(check(wanted.name, wanted.group, now));
    std::erase_if(held_, [now](const auto& held) { return held.second.until <= now; });
    auto held = held_.find(wanted.name);
    if (held == held_.end()) {
        if (held_.size() >= max_) {
            return fail(Errc::overloaded, "the names of " + std::to_string(max_) +
                                              " groups that are being created are reserved");
        }
        held_.emplace(wanted.name, Holder{wanted.group, wanted.round, until});
        return {};
    }
    held->second.round = std::max(held->second.round, wanted.round);
    held->second.until = std::max(held->second.until, until);
    return {};
}

void Reservations::give_up(const ReserveNameRequest& wanted) {
    auto held = held_.find(wanted.name);
    if (held == held_.end() || held->second.group != wanted.group) return;
    if (held->second.round <= wanted.round) held_.erase(held);
}

Result<void> Reservations::check(const std::string& name, GroupId group, Time now) const {
    auto held = held_.find(name);
    if (held == held_.end() || held->second.group == group || held->second.until <= now) return {};
    return fail(Errc::change_not_permitted,
                "another group of the name " + quoted(name) + " is being created",
                "see with `quorate group list` whether it came to be; if not, try again shortly");
}

}  // namespace quorate::group
