#pragma once

#include "host/base/result.hpp"
#include "host/base/time.hpp"
#include "host/group/messages.hpp"

#include <cstddef>
#include <string>
#include <unordered_map>

namespace quorate::group {

// Names promised to groups that are being created. Each is one group's until it is given up, or its time
// has passed; in memory only. Thread: shard 0.
class Reservations {
 public:
    // `max` are kept; more: Errc::overloaded.
    explicit Reservations(std::size_t max) : max_(max) {}

    // The same group may ask again: the later time counts. Errc::change_not_permitted while the name is
    // another group's.
    Result<void> take(const ReserveNameRequest& wanted, Time now, Time until);
    // Does nothing if the name is another group's, or was taken anew in a later round.
    void give_up(const ReserveNameRequest& wanted);
    // The name's group has a member here, which keeps the name from now on.
    void settle(const std::string& name) { held_.erase(name); }
    // Errc::change_not_permitted while the name is another group's.
    Result<void> check(const std::string& name, GroupId group, Time now) const;

 private:
    struct Holder {
        GroupId group;
        std::uint32_t round = 0;
        Time until;
    };
    std::size_t max_;
    std::unordered_map<std::string, Holder> held_;
};

}  // namespace quorate::group
