#include "host/group/admin.hpp"
#include "host/group/errands.hpp"
#include "host/group/leftovers.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace quorate::group {
namespace {

// Members go by themselves as they learn that the group's end is committed; followers do a moment
// after the leader. This waits for that, if it is to be had soon.
Operation<Done> wait_until_left(HostShard& shard, const MemberStatus& group, Time until) {
    GroupId id = group.group;
    LocateRequest request{group.name};
    std::vector<HostName> hosts;
    for (const PeerProgress& peer : group.members) hosts.push_back(peer.host);
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    for (bool more = true; more;) {
        auto answers = co_await shard.ask_all(hosts, request, until);
        bool left = std::none_of(answers.begin(), answers.end(), [id](const HostAnswer& answer) {
            if (!answer.answer.result) return false;
            auto* location = std::get_if<GroupLocation>(&*answer.answer.result);
            return location != nullptr && location->group == id;
        });
        if (left) break;
        more = co_await shard.pause(backoff, until);
    }
    co_return Done{};
}

// One member on its way out.
struct Removal {
    PeerProgress member;
    bool gone = false;
    std::string why;  // it is not known to be gone
};
using Removals = std::vector<std::shared_ptr<Removal>>;

// The host answers when nothing of the member is left, its name included. Harmless to repeat.
Operation<Done> remove_one(HostShard& shard, GroupId group, std::shared_ptr<Removal> removal,
                           Time until) {
    DeleteMemberRequest request{group, removal->member.id};
    Answer answer = co_await shard.request(removal->member.host, request, until);
    // Another member of the group is there: this one is not.
    removal->gone = answer.result || answer.result.error().code == Errc::not_member;
    if (!removal->gone) removal->why = to_string(answer.result.error());
    co_return Done{};
}

Removals not_gone(const Removals& all) {
    Removals left;
    std::copy_if(all.begin(), all.end(), std::back_inserter(left),
                 [](const auto& removal) { return !removal->gone; });
    return left;
}

// Asks until a majority of the members is gone, or the time is up.
Operation<Done> remove_majority(HostShard& shard, GroupId group, Removals removals, Time until) {
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    for (bool more = true; more;) {
        std::vector<Operation<Done>> requests;
        for (const auto& removal : not_gone(removals)) {
            requests.push_back(remove_one(shard, group, removal, shard.attempt_until(until)));
        }
        co_await shard.together(std::move(requests));
        if (not_gone(removals).size() < (removals.size() + 1) / 2) break;
        more = co_await shard.pause(backoff, until);
    }
    co_return Done{};
}

// The group's end is committed, so each member may go, whatever state it is in. Done when a majority is
// gone for certain: what is left can elect nobody, and its hosts are told when they answer.
Operation<Result<Done>> remove_members(HostShard& shard, const MemberStatus& group, Time until) {
    Removals removals;
    for (const PeerProgress& member : group.members) {
        removals.push_back(std::make_shared<Removal>(Removal{member, false, {}}));
    }
    co_await remove_majority(shard, group.group, removals, until);
    Removals left = not_gone(removals);
    std::string reasons;
    for (const auto& removal : left) {
        // Its host would come back with a member of a group that is no more.
        shard.at(0, [host = removal->member.host,
                     request = DeleteMemberRequest{group.group, removal->member.id}](
                        HostShard& home) { home.host().errands->remove_member(host, request); });
        reasons += (reasons.empty() ? "" : "; ") + removal->member.host + ": " + removal->why;
    }
    if (left.size() < (removals.size() + 1) / 2) co_return Done{};
    co_return fail(Errc::deadline_exceeded,
                   "group " + quoted(group.name) + ": its end is committed, but " +
                       std::to_string(left.size()) + " of its " + std::to_string(removals.size()) +
                       " members are not known to be gone yet (" + reasons + ")",
                   "they go when they hear of it; `quorate group list` shows what is left");
}

}  // namespace

Operation<Result<Done>> delete_group(HostShard& shard, std::string name, Time deadline) {
    if (auto checked = check_name(name); !checked) co_return checked.error();
    auto leftovers = co_await remove_leftovers(shard, name, deadline);
    if (leftovers || leftovers.error().code != Errc::no_such_group) co_return leftovers;
    // Not whatever group has the name later: another may be created while we ask again.
    MemberStatus group;
    LeaderRequest request{
        name, deadline, [&group, &name](const MemberStatus& leader) -> Result<RequestBody> {
            if (group.group && group.group != leader.group) {
                return fail(Errc::no_such_group,
                            "group " + quoted(name) + " is gone, and another has its name");
            }
            group = leader;
            return RequestBody(DeleteGroupRequest{leader.group});
        }};
    LeaderAnswer answer = co_await ask_leader(shard, std::move(request));
    // The first attempt may have ended the group though its answer was lost.
    bool gone_before =
        !answer.result && answer.result.error().code == Errc::no_such_group && answer.maybe_before;
    if (!answer.result && !gone_before) co_return answer.result.error();
    // The rest of the time, but for what it takes to answer.
    Time until = deadline - (deadline - shard.now()) / 10;
    co_await wait_until_left(shard, group, shard.attempt_until(until));
    co_return co_await remove_members(shard, group, until);
}

}  // namespace quorate::group
