#include "host/group/admin.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"

#include <utility>

// What is asked of one member, wherever its group's leader is: to stop, to start again, to campaign.
namespace quorate::group {
namespace {

Operation<Result<Done>> tell_member(HostShard& shard, MemberChange which,
                                    std::function<RequestBody(GroupId)> request) {
    if (auto checked = check_name(which.group); !checked) co_return checked.error();
    if (auto checked = check_host(shard, which.host); !checked) co_return checked.error();
    CO_TRY(GroupLocation group,
           co_await locate_group(shard, which.group, shard.attempt_until(which.deadline)));
    Result<Done> done = co_await shard.ask<Done>(which.host, request(group.group), which.deadline);
    if (done) co_return done;
    std::string where = "group " + quoted(which.group);
    if (done.error().code == Errc::no_such_group) {
        co_return fail(Errc::not_member,
                       where + ", host " + quoted(which.host) + ": it has no member of the group");
    }
    co_return within(where, done.error());
}

}  // namespace

Operation<Result<Done>> stop_member(HostShard& shard, MemberChange which) {
    return tell_member(shard, std::move(which),
                       [](GroupId group) { return RequestBody(StopMemberRequest{group}); });
}

Operation<Result<Done>> start_member(HostShard& shard, MemberChange which) {
    return tell_member(shard, std::move(which),
                       [](GroupId group) { return RequestBody(RestartMemberRequest{group}); });
}

Operation<Result<Done>> trigger_election(HostShard& shard, MemberChange which) {
    return tell_member(shard, std::move(which),
                       [](GroupId group) { return RequestBody(CampaignRequest{group}); });
}

}  // namespace quorate::group
