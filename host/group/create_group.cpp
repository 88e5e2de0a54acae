#include "host/base/log.hpp"
#include "host/group/admin.hpp"
#include "host/group/errands.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"
#include "host/group/reserve_name.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace quorate::group {
namespace {

constexpr Duration campaign_interval = 300ms;

// How the starts of a new group's members go. Shared between the operation that waits for a
// majority and the answers that come after it.
struct Formation {
    Registration registration;  // member: 0, it differs per host
    struct Seat {
        raft::Member member;
        enum class State : std::uint8_t { asked, started, refused, silent } state = State::asked;
        std::string why;
    };
    std::vector<Seat> seats;
    std::function<void(Done)> changed;  // told of each answer

    std::size_t count(Seat::State state) const {
        return static_cast<std::size_t>(std::count_if(
            seats.begin(), seats.end(), [state](const Seat& seat) { return seat.state == state; }));
    }
    bool has_majority() const { return count(Seat::State::started) > seats.size() / 2; }
    bool may_have_majority() const {
        return count(Seat::State::started) + count(Seat::State::asked) > seats.size() / 2;
    }
};
using Seat = Formation::Seat;

Result<void> check_hosts(HostShard& shard, const std::vector<HostName>& hosts) {
    if (hosts.empty() || hosts.size() > shard.options().max_members) {
        return fail(Errc::request_invalid, "a group has 1 to " +
                                               std::to_string(shard.options().max_members) +
                                               " members, not " + std::to_string(hosts.size()));
    }
    for (auto host = hosts.begin(); host != hosts.end(); ++host) {
        TRY_VOID(check_host(shard, *host));
        if (std::find(hosts.begin(), host, *host) != host) {
            return fail(Errc::request_invalid, "host " + quoted(*host) + " is named twice");
        }
    }
    return {};
}

std::uint64_t mint(HostShard& shard) {
    std::uint64_t id = 0;
    while (id == 0) id = shard.scheduler().random();
    return id;
}

std::shared_ptr<Formation> plan(HostShard& shard, const CreateGroup& wanted,
                                machine::MachineRef machine) {
    auto formation = std::make_shared<Formation>();
    auto& members = formation->registration.initial.members;
    for (const HostName& host : wanted.hosts) {
        members.push_back({MemberId(mint(shard)), host, raft::VoteKind::voter, {}});
        formation->seats.push_back({members.back(), Seat::State::asked, {}});
    }
    std::sort(members.begin(), members.end(),
              [](const raft::Member& a, const raft::Member& b) { return a.id < b.id; });
    formation->registration.group = GroupId(mint(shard));
    formation->registration.name = wanted.name;
    formation->registration.epoch = Epoch(1);
    formation->registration.machine = std::move(machine);
    return formation;
}

StartMemberRequest start_request(const Formation& formation, const Seat& seat, bool campaign) {
    Registration registration = formation.registration;
    registration.member = seat.member.id;
    return {encode(registration), campaign};
}

Operation<Done> start_seat(HostShard& shard, std::shared_ptr<Formation> formation,
                           std::size_t seat_at, Time deadline) {
    Seat& seat = formation->seats[seat_at];
    StartMemberRequest request = start_request(*formation, seat, false);
    Answer answer = co_await shard.request(seat.member.host, std::move(request), deadline);
    if (answer.result) {
        seat.state = Seat::State::started;
    } else {
        seat.state = answer.fate == Fate::answered ? Seat::State::refused : Seat::State::silent;
        seat.why = to_string(answer.result.error());
    }
    if (formation->changed) std::exchange(formation->changed, nullptr)(Done{});
    co_return Done{};
}

std::string reasons(const Formation& formation) {
    std::string text;
    for (const Seat& seat : formation.seats) {
        text += text.empty() ? "" : "; ";
        text += seat.member.host + ": ";
        if (seat.state == Seat::State::started) text += "started";
        if (seat.state == Seat::State::asked) text += "no answer yet";
        text += seat.why;
    }
    return text;
}

Operation<Done> undo_seat(HostShard& shard, HostName host, DeleteMemberRequest request,
                          Time until) {
    Answer answer = co_await shard.request(host, request, until);
    if (answer.fate != Fate::answered) {
        shard.at(0, [host, request](HostShard& home) {
            home.host().errands->remove_member(host, request);
        });
    }
    co_return Done{};
}

// Takes back what was started, and what may have been: now, or when the host is back.
Operation<Done> undo(HostShard& shard, std::shared_ptr<Formation> formation, Time deadline) {
    Time until = std::min(shard.now() + shard.options().undo_timeout,
                          deadline - (deadline - shard.now()) / 4);
    std::vector<Operation<Done>> all;
    for (const Seat& seat : formation->seats) {
        if (seat.state == Seat::State::refused) continue;
        DeleteMemberRequest request{formation->registration.group, seat.member.id, {}};
        all.push_back(undo_seat(shard, seat.member.host, request, until));
    }
    co_await shard.together(std::move(all));
    co_return Done{};
}

// Members that were not there when the group was formed start when their host is back: their ids were
// minted for this and never used, so nothing can have been promised under them.
void leave_errands(HostShard& shard, const std::shared_ptr<Formation>& formation) {
    auto key = std::make_shared<const GroupKey>(
        GroupKey{formation->registration.group, formation->registration.name});
    for (const Seat& seat : formation->seats) {
        if (seat.state == Seat::State::started) continue;
        shard.at(0,
                 [host = seat.member.host, request = start_request(*formation, seat, false),
                  key](HostShard& home) { home.host().errands->start_member(host, request, key); });
    }
}

Operation<Result<Done>> start_majority(HostShard& shard, std::shared_ptr<Formation> formation,
                                       Time deadline) {
    for (std::size_t i = 0; i < formation->seats.size(); ++i) {
        shard.operations().run<Done>(start_seat(shard, formation, i, deadline), [](Done) {});
    }
    while (!formation->has_majority() && formation->may_have_majority()) {
        Later<Done> changed;
        formation->changed = changed.callback();
        co_await changed;
    }
    if (formation->has_majority()) co_return Done{};
    co_return fail(Errc::group_not_formed,
                   "group " + quoted(formation->registration.name) +
                       ": fewer than a majority of its members could be started (" +
                       reasons(*formation) + ")");
}

// The first host named that has started campaigns. It does so again if that comes to nothing: the
// others may have been starting yet, and dropped its messages.
Operation<Result<GroupLocation>> elect(HostShard& shard, std::shared_ptr<Formation> formation,
                                       Time deadline) {
    auto first = std::find_if(formation->seats.begin(), formation->seats.end(),
                              [](const Seat& seat) { return seat.state == Seat::State::started; });
    StartMemberRequest request = start_request(*formation, *first, true);
    const Registration& registration = formation->registration;
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    GroupLocation location{registration.group, registration.name, {}, {}};
    for (const raft::Member& member : registration.initial.members) {
        location.hosts.push_back(member.host);
    }
    Time campaign_at = shard.now();
    for (bool more = true; more;) {
        if (shard.now() >= campaign_at) {
            co_await shard.request(first->member.host, request, shard.attempt_until(deadline));
            campaign_at = shard.now() + campaign_interval;
        }
        Time until = shard.attempt_until(deadline);
        GroupKey key{registration.group, registration.name};
        Result<GroupLocation> found = co_await locate_group(shard, std::move(key), until);
        if (found && !found->leader.empty()) co_return found;
        more = co_await shard.pause(backoff, deadline);
    }
    co_return location;
}

}  // namespace

Operation<Result<GroupLocation>> create_group(HostShard& shard, CreateGroup wanted, Time deadline) {
    if (auto checked = check_name(wanted.name); !checked) co_return checked.error();
    if (auto checked = check_hosts(shard, wanted.hosts); !checked) {
        co_return within("group " + quoted(wanted.name), checked.error());
    }
    auto machine = shard.host().environment.plugins.resolve(wanted.plugin, wanted.machine);
    if (!machine) co_return within("host " + quoted(shard.name()), machine.error());

    auto formation = plan(shard, wanted, std::move(*machine));
    NameClaim wish{wanted.name, formation->registration.group, deadline};
    CO_TRY(NameClaim claim, co_await reserve_name(shard, std::move(wish)));
    // What is left after the starts is for taking them back, or for an election.
    Time started_until = shard.now() + (deadline - shard.now()) * 2 / 3;
    Result<Done> formed = co_await start_majority(shard, formation, started_until);
    if (!formed) {
        co_await undo(shard, formation, deadline);
        give_up_name(shard, claim);
        co_return formed.error();
    }
    Time answer_until = deadline - std::min<Duration>((deadline - shard.now()) / 10, 50ms);
    Result<GroupLocation> location = co_await elect(shard, formation, answer_until);
    leave_errands(shard, formation);
    give_up_name(shard, claim);  // its members hold it
    co_return location;
}

}  // namespace quorate::group
