#pragma once

#include "tests/sim/sim_host.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quorate::sim {

// Who administers the groups: changes their memberships, hands leaderships over, takes snapshots,
// looks at the members. A patient one begins a change when the former has ended, or can be taken for
// lost; in some worlds there are several at once (Settings::impatient).
class SimOperator {
 public:
    using Hosts = std::vector<std::unique_ptr<SimHost>>;
    SimOperator(SimLoop& loop, Witness& witness, const Settings& settings, Hosts& hosts,
                std::uint64_t seed)
        : loop_(loop), witness_(witness), settings_(settings), hosts_(hosts), random_(seed) {}

    void change_membership();
    void transfer();
    void take_snapshot();
    // A member falls silent while its host lives on, or comes back.
    void stop_or_start();
    // Every member that is stopped on a host that serves.
    void start_all();
    // Has the witness compare the outcome hashes of a group's members.
    void compare_outcomes();
    // Removes a member that its host does not have: an addition that was cut short
    // (docs/operations.md).
    void sweep_up(SimHost& at, const std::string& name,
                  const std::vector<group::MemberAnswer>& answers);

 private:
    raft::VoteKind kind_of_newcomer();
    SimHost& any_host() { return *hosts_[random_() % hosts_.size()]; }
    std::string any_group() { return "g" + std::to_string(random_() % settings_.groups); }

    SimLoop& loop_;
    Witness& witness_;
    const Settings& settings_;
    Hosts& hosts_;
    Random random_;
    Time changing_until_{};
};

}  // namespace quorate::sim
