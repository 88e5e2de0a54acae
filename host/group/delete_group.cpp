#include "host/group/admin.hpp"
#include "host/group/errands.hpp"
#include "host/group/leftovers.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

// Members end as they apply the last entry, which followers do a moment after the leader. The name
// should be free when the caller hears of it, if that is to be had soon.
Operation<Done> wait_until_gone(HostShard& shard, const MemberStatus& group, Time deadline) {
    GroupId id = group.group;
    std::string name = group.name;
    std::vector<HostName> hosts;
    for (const PeerProgress& peer : group.members) hosts.push_back(peer.host);
    Time until = shard.attempt_until(deadline);
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    for (bool more = true; more;) {
        LocateRequest request{name};
        auto answers = co_await shard.ask_all(hosts, request, until);
        bool gone = std::none_of(answers.begin(), answers.end(), [id](const HostAnswer& answer) {
            if (!answer.answer.result) return false;
            auto* location = std::get_if<GroupLocation>(&*answer.answer.result);
            return location != nullptr && location->group == id;
        });
        if (gone) break;
        more = co_await shard.pause(backoff, until);
    }
    co_return Done{};
}

// A member whose host is away would come back to a group that is no more.
void leave_errands(HostShard& shard, const MemberStatus& group) {
    for (const PeerProgress& peer : group.members) {
        if (shard.is_reachable(peer.host)) continue;
        shard.at(0, [host = peer.host, id = group.group, member = peer.id](HostShard& home) {
            home.host().errands->remove_member(host, {id, member});
        });
    }
}

}  // namespace

Operation<Result<Done>> delete_group(HostShard& shard, std::string name, Time deadline) {
    if (auto checked = check_name(name); !checked) co_return checked.error();
    auto leftovers = co_await remove_leftovers(shard, name, deadline);
    if (leftovers || leftovers.error().code != Errc::no_such_group) co_return leftovers;
    // Not whatever group has the name later: another may be created while we ask again.
    GroupId id;
    LeaderRequest request{
        name, deadline, [&id, &name](const MemberStatus& leader) -> Result<RequestBody> {
            if (!id) id = leader.group;
            if (id == leader.group) return RequestBody(DeleteGroupRequest{id});
            return fail(Errc::no_such_group,
                        "group " + quoted(name) + " is gone, and another has its name");
        }};
    LeaderAnswer answer = co_await ask_leader(shard, std::move(request));
    bool gone_before = !answer.result && answer.result.error().code == Errc::no_such_group && id;
    if (!answer.result && !gone_before) co_return answer.result.error();
    leave_errands(shard, answer.leader);
    co_await wait_until_gone(shard, answer.leader, deadline);
    co_return Done{};
}

}  // namespace quorate::group
