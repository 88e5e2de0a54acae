#include "host/group/locate.hpp"

#include "host/group/names.hpp"
#include "host/group/roll_call.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

// Once one host has told of a leader, others may tell of another group in this time.
constexpr Duration others_time = 100ms;

const GroupLocation* location_in(const Answer& answer) {
    return answer.result ? std::get_if<GroupLocation>(&*answer.result) : nullptr;
}

bool names_leader(const Answer& answer) {
    const GroupLocation* location = location_in(answer);
    return location != nullptr && !location->leader.empty();
}

// One group, as far as the hosts that were asked tell of it.
struct Sighting {
    GroupLocation location;    // from one that names the leader, if any does
    std::vector<HostName> on;  // who told of it

    bool is_whole() const {
        return !location.leader.empty() || on.size() > location.hosts.size() / 2;
    }
};

std::vector<Sighting> sightings(const std::vector<HostAnswer>& answers) {
    std::vector<Sighting> all;
    for (const HostAnswer& answer : answers) {
        const GroupLocation* location = location_in(answer.answer);
        if (location == nullptr) continue;
        auto known = std::find_if(all.begin(), all.end(), [location](const Sighting& one) {
            return one.location.group == location->group;
        });
        if (known == all.end()) known = all.insert(all.end(), {*location, {}});
        if (known->location.leader.empty()) known->location = *location;
        known->on.push_back(answer.host);
    }
    return all;
}

std::string hex(GroupId id) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4) text += digits[id.value() >> shift & 15];
    return text;
}

Error several(const std::string& name, const std::vector<Sighting>& groups) {
    std::string text;
    for (const Sighting& group : groups) {
        text += (text.empty() ? "" : "; ") + hex(group.location.group) + " with members on";
        std::vector<HostName> hosts = group.location.hosts;
        std::sort(hosts.begin(), hosts.end());
        for (const HostName& host : hosts) text += " " + host;
    }
    return fail(
        Errc::group_exists,
        std::to_string(groups.size()) + " groups have the name " + quoted(name) + ": " + text,
        "ask through a host that carries the one you mean (--endpoint), and delete the "
        "other through a host that carries that: `quorate group delete`");
}

// No host told of the group, if it is known by its id: not of that one.
Error nobody_knows(HostShard& shard, const GroupKey& group,
                   const std::vector<HostAnswer>& answers) {
    std::vector<HostName> without;
    bool is_renamed = false;
    for (const HostAnswer& answer : answers) {
        bool other = location_in(answer.answer) != nullptr;
        is_renamed = is_renamed || other;
        bool none =
            !answer.answer.result && answer.answer.result.error().code == Errc::no_such_group;
        if (other || none) without.push_back(answer.host);
    }
    RollCall roll = call_roll(shard);
    std::string count =
        std::to_string(without.size()) + " of " + std::to_string(roll.size()) + " hosts";
    if (without.size() < roll.majority()) {
        return fail(Errc::no_quorum,
                    "whether there is a group " + quoted(group.name) + " is not known: only " +
                        count + " could tell host " + quoted(shard.name()) +
                        " that they do not have it; not heard: " + absent(roll, without, answers),
                    "start the hosts that are named, or ask a host that reaches them: `quorate "
                    "host list` shows who answers");
    }
    if (is_renamed) {
        return fail(Errc::no_such_group,
                    "the group was deleted; another now has the name " + quoted(group.name));
    }
    return fail(Errc::no_such_group, "no group " + quoted(group.name) + " on the " + count +
                                         " that answered host " + quoted(shard.name()));
}

// Asks this host's own member, which costs no message, and everybody else unless it has said enough.
Operation<std::vector<HostAnswer>> ask_around(HostShard& shard, std::string name, Time deadline,
                                              std::function<bool(const Answer&)> enough,
                                              Duration grace) {
    LocateRequest request{std::move(name)};
    std::vector<HostAnswer> answers;
    Answer own = co_await shard.request(shard.name(), request, deadline);
    bool is_enough = enough(own);
    answers.push_back({shard.name(), std::move(own)});
    if (is_enough) co_return answers;
    std::vector<HostName> others = shard.reachable_hosts();
    std::erase(others, shard.name());
    auto more =
        co_await shard.ask_all(std::move(others), request, deadline, std::move(enough), grace);
    for (HostAnswer& answer : more) answers.push_back(std::move(answer));
    co_return answers;
}

// Whether the same request may succeed a little later, perhaps elsewhere.
bool may_pass(Errc code) {
    switch (code) {
        case Errc::not_leader:
        case Errc::no_leader:
        case Errc::leadership_lost:
        case Errc::member_stopped:
        case Errc::unreachable:
        case Errc::deadline_exceeded:
        case Errc::change_not_permitted:
            return true;
        default:
            return false;
    }
}

// Whether the leader may have carried out what it was asked though its answer is this error.
bool is_uncertain(const Answer& answer) {
    if (answer.result) return false;
    Errc code = answer.result.error().code;
    return answer.fate == Fate::lost || code == Errc::leadership_lost ||
           code == Errc::deadline_exceeded || code == Errc::member_stopped;
}

}  // namespace

GroupLocation location_of(const Group& member) {
    MemberStatus status = member.status();
    GroupLocation location{status.group, status.name, status.leader, {}};
    for (const PeerProgress& peer : status.members) location.hosts.push_back(peer.host);
    if (!location.hosts.empty()) return location;
    // It is starting, and does not know its log yet.
    for (const raft::Member& peer : member.registration().initial.members) {
        location.hosts.push_back(peer.host);
    }
    return location;
}

Operation<Result<GroupLocation>> locate_group(HostShard& shard, std::string name, Time deadline) {
    auto answers = co_await ask_around(shard, name, deadline, names_leader, others_time);
    std::vector<Sighting> groups = sightings(answers);
    if (groups.empty()) co_return nobody_knows(shard, {GroupId{}, name}, answers);
    // This host's own member, if it told of one, comes first.
    if (location_in(answers.front().answer) != nullptr && groups.front().is_whole()) {
        co_return groups.front().location;
    }
    auto whole = static_cast<std::size_t>(std::count_if(
        groups.begin(), groups.end(), [](const Sighting& one) { return one.is_whole(); }));
    if (whole > 0) std::erase_if(groups, [](const Sighting& one) { return !one.is_whole(); });
    if (groups.size() == 1) co_return groups.front().location;
    co_return several(name, groups);
}

Operation<Result<GroupLocation>> locate_group(HostShard& shard, GroupKey group, Time deadline) {
    auto enough = [id = group.id](const Answer& answer) {
        return names_leader(answer) && location_in(answer)->group == id;
    };
    auto answers = co_await ask_around(shard, group.name, deadline, enough, {});
    for (const Sighting& one : sightings(answers)) {
        if (one.location.group == group.id) co_return one.location;
    }
    co_return nobody_knows(shard, group, answers);
}

Operation<Result<MemberStatus>> find_leader(HostShard& shard, std::string name, Time deadline) {
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    Error last = fail(Errc::no_leader, "no member knows a leader");
    for (;;) {
        Time until = shard.attempt_until(deadline);
        Result<GroupLocation> where = co_await locate_group(shard, name, until);
        if (!where) {
            last = where.error();
            if (last.code == Errc::no_such_group || last.code == Errc::group_exists) co_return last;
        } else if (!where->leader.empty()) {
            StatusRequest request{where->group, false};
            auto told =
                co_await shard.ask<std::vector<MemberStatus>>(where->leader, request, until);
            if (!told) {
                last = told.error();
            } else if (told->size() == 1 && told->front().role == raft::Role::leader) {
                co_return std::move(told->front());
            }
        }
        bool more = co_await shard.pause(backoff, deadline);
        if (!more) break;
    }
    co_return fail(Errc::no_leader,
                   "group " + quoted(name) + ": host " + quoted(shard.name()) +
                       " found no leader before the deadline; last: " + to_string(last));
}

Operation<LeaderAnswer> ask_leader(HostShard& shard, LeaderRequest request) {
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    LeaderAnswer answer{fail(Errc::no_leader, "no leader was asked"), {}, false};
    bool uncertain = false;
    for (;;) {
        answer.maybe_before = uncertain;
        Result<MemberStatus> leader = co_await find_leader(shard, request.name, request.deadline);
        if (!leader) {
            answer.result = leader.error();
            co_return answer;
        }
        answer.leader = std::move(*leader);
        Result<RequestBody> body = request.body(answer.leader);
        if (!body) {
            answer.result = body.error();
            co_return answer;
        }
        // A leader that is cut off must not use up all of the time.
        Duration share = (request.deadline - shard.now()) / 3;
        Time until = std::min(request.deadline,
                              shard.now() + std::max(share, shard.options().attempt_timeout));
        Answer got = co_await shard.request(answer.leader.host, std::move(*body), until);
        uncertain = uncertain || is_uncertain(got);
        answer.result = std::move(got.result);
        if (answer.result) co_return answer;
        answer.result =
            within("group " + quoted(request.name) + " on host " + quoted(answer.leader.host),
                   answer.result.error());
        if (!may_pass(answer.result.error().code)) co_return answer;
        bool more = co_await shard.pause(backoff, request.deadline);
        if (!more) co_return answer;
    }
}

}  // namespace quorate::group
