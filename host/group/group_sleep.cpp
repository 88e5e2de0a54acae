#include "host/group/group_impl.hpp"

#include <algorithm>

// What a member that sleeps relies on: that other hosts answer, and that its leader's host says no word
// against the leader.
namespace quorate::group {

// Members of the group whose hosts are silent, and those on `and_on`.
std::vector<MemberId> Group::Impl::unreachable(const HostName& and_on) const {
    std::vector<MemberId> members;
    for (const raft::Member& member : core_->membership().members) {
        if (member.id == registration_.member) continue;
        bool silent =
            env_.links.is_silent(member.host) || (!and_on.empty() && member.host == and_on);
        if (silent) members.push_back(member.id);
    }
    return members;
}

void Group::Impl::host_changed(const HostName& host, HostNews news) {
    if (!is_active()) return;
    const auto& members = core_->membership().members;
    bool concerned = std::ranges::any_of(
        members, [&host](const raft::Member& member) { return member.host == host; });
    if (!concerned) return;
    if (news == HostNews::restarted) step(raft::Unreachable{unreachable(host)});
    tell_reachability();
}

// Saying the same again changes nothing.
void Group::Impl::tell_reachability() {
    step(raft::Unreachable{unreachable()});
}

std::optional<Group::Reliance> Group::Impl::reliance() const {
    if (!is_active() || core_->role() == raft::Role::leader || !core_->asleep())
        return std::nullopt;
    return Reliance{leader_host(), {registration_.group, core_->leader(), core_->term()}};
}

bool Group::Impl::leads(const Leadership& asked) const {
    return leads() && registration_.member == asked.leader && core_->term() == asked.term;
}

void Group::Impl::leader_lost(const Leadership& lost) {
    if (is_active()) step(raft::LeaderLost{lost.leader, lost.term});
}

// This leader falls silent while its host lives on. Whom this does not reach finds out by asking.
void Group::Impl::wake_followers() {
    if (!core_ || core_->role() != raft::Role::leader) return;
    Leadership own{registration_.group, registration_.member, core_->term()};
    for (const raft::Member& member : core_->membership().members) {
        if (member.id != registration_.member)
            env_.links.send(member.host, LeaderCheck{true, {own}});
    }
}

}  // namespace quorate::group
