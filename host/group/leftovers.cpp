#include "host/group/leftovers.hpp"

#include "host/group/names.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace quorate::group {
namespace {

Error nothing_left(const std::string& name) {
    return fail(Errc::no_such_group, "nothing of group " + quoted(name) + " stands alone");
}

// Of the members that answer to the name, one that knows no leader; none if one does.
std::optional<GroupLocation> without_leader(const std::vector<HostAnswer>& answers) {
    std::optional<GroupLocation> found;
    for (const HostAnswer& answer : answers) {
        if (!answer.answer.result) continue;
        const auto* location = std::get_if<GroupLocation>(&*answer.answer.result);
        if (location == nullptr) continue;
        if (!location->leader.empty()) return std::nullopt;
        found = *location;
    }
    return found;
}

// What the hosts of a membership say of their members.
struct Survey {
    std::vector<MemberStatus> there;
    std::vector<HostName> without;  // these hosts certainly hold none
};

Survey survey_of(const std::vector<HostAnswer>& answers) {
    Survey survey;
    for (const HostAnswer& answer : answers) {
        const auto& result = answer.answer.result;
        if (!result) {
            if (result.error().code == Errc::no_such_group) survey.without.push_back(answer.host);
        } else if (const auto* told = std::get_if<std::vector<MemberStatus>>(&*result)) {
            survey.there.insert(survey.there.end(), told->begin(), told->end());
        }
    }
    return survey;
}

// So many voters of this member's membership are gone that it can never be led again.
bool is_stranded(const MemberStatus& member, const Survey& survey) {
    std::size_t voters = 0;
    std::size_t gone = 0;
    for (const PeerProgress& peer : member.members) {
        if (peer.kind != raft::VoteKind::voter) continue;
        ++voters;
        if (std::ranges::find(survey.without, peer.host) != survey.without.end()) ++gone;
    }
    return voters > 0 && voters - gone < voters / 2 + 1;
}

}  // namespace

Operation<Result<Done>> remove_leftovers(HostShard& shard, std::string name, Time deadline) {
    LocateRequest locate{name};
    auto located =
        co_await shard.ask_all(shard.reachable_hosts(), locate, shard.attempt_until(deadline));
    auto group = without_leader(located);
    if (!group) co_return nothing_left(name);
    StatusRequest question{group->group, false};
    auto answers = co_await shard.ask_all(group->hosts, question, shard.attempt_until(deadline));
    Survey survey = survey_of(answers);
    bool stranded = !survey.there.empty() &&
                    std::ranges::all_of(survey.there, [&survey](const MemberStatus& member) {
                        return member.role != raft::Role::leader && is_stranded(member, survey);
                    });
    if (!stranded) co_return nothing_left(name);
    for (const MemberStatus& member : survey.there) {
        DeleteMemberRequest removal{member.group, member.member};
        CO_TRY(Done removed, co_await shard.ask<Done>(member.host, removal, deadline));
        static_cast<void>(removed);
    }
    co_return Done{};
}

}  // namespace quorate::group
