#include "host/group/residents.hpp"

#include "host/base/log.hpp"
#include "host/group/names.hpp"
#include "host/group/plugin_exchange.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace quorate::group {
namespace {

// Campaigns as soon as the member takes part, unless somebody leads by then.
Operation<Done> campaign_when_ready(HostShard& owner, GroupId group) {
    constexpr int tries_max = 100;
    for (int tries = 0; tries < tries_max; ++tries) {
        Group* member = owner.members().find(group);
        if (member == nullptr || !member->leader().empty()) break;
        if (!member->status().members.empty()) {
            static_cast<void>(member->campaign());
            break;
        }
        Woken woken = co_await owner.waiting().until(owner.now() + owner.options().backoff_first);
        if (woken == Woken::stopping) break;
    }
    co_return Done{};
}

// While it starts nothing is known of its log.
bool is_at(const Group& member, Index last) {
    MemberStatus status = member.status();
    return status.state != MemberState::starting && status.last == last;
}

std::string member_text(const Registration& registration, const HostName& host) {
    return "group " + quoted(registration.name) + " on host " + quoted(host);
}

}  // namespace

void Residents::adopt(Registration registration, storage::RecoveredLog recovered) {
    GroupId id = registration.group;
    auto entry = std::make_shared<const Registration>(registration);
    residents_.emplace(id, Resident{entry, State::running, false, {}});
    if (names_.emplace(registration.name, id).second) {
        publish(home().registry().with(entry));
    } else {
        log::warning("group_name_twice",
                     "two groups of one name are on this host; the name finds the first",
                     {{"group", registration.name}, {"id", id.value()}});
    }
    auto carried = std::make_shared<std::pair<Registration, storage::RecoveredLog>>(
        std::move(registration), std::move(recovered));
    home().at_owner(id, [carried](HostShard& owner) {
        owner.members().start(std::move(carried->first), std::move(carried->second));
    });
}

Operation<Result<Done>> Residents::start(Start request) {
    GroupId id = request.registration.group;
    for (;;) {
        auto found = residents_.find(id);
        if (found == residents_.end()) break;
        const Resident& resident = found->second;
        if (resident.registration->member != request.registration.member) {
            co_return fail(Errc::already_member,
                           member_text(request.registration, home().name()) +
                               ": another member of the group is here already");
        }
        if (resident.state == State::leaving || resident.unwanted) {
            co_return fail(
                Errc::change_not_permitted,
                member_text(request.registration, home().name()) + ": the member is being removed");
        }
        if (resident.state == State::running) {
            if (request.campaign) campaign(id);
            co_return Done{};
        }
        co_await next_state(id);
    }
    if (removed_.contains(request.registration.member)) {
        co_return fail(Errc::change_not_permitted,
                       member_text(request.registration, home().name()) + ": it was removed");
    }
    if (auto admitted = admit(request.registration); !admitted) co_return admitted.error();
    co_return co_await set_up(std::move(request));
}

Result<void> Residents::admit(const Registration& registration) const {
    auto named = names_.find(registration.name);
    if (named == names_.end()) {
        return reservations_.check(registration.name, registration.group, home().now());
    }
    return fail(Errc::group_exists,
                member_text(registration, home().name()) + ": the name belongs to another group");
}

Result<Done> Residents::reserve(const ReserveNameRequest& request) {
    if (request.hold <= 0ns) {
        reservations_.give_up(request);
        return Done{};
    }
    auto named = names_.find(request.name);
    if (named != names_.end()) {
        if (named->second == request.group) return Done{};
        if (residents_.at(named->second).state == State::leaving) {
            return fail(Errc::change_not_permitted,
                        "a member of a former group " + quoted(request.name) +
                            " is being removed from host " + quoted(home().name()),
                        "try again shortly");
        }
        return fail(Errc::group_exists, "a member of a group " + quoted(request.name) +
                                            " is on host " + quoted(home().name()) + " already");
    }
    const HostOptions& options = host_.options;
    Duration hold = std::min(request.hold, options.request_time_max) + options.name_held_after;
    TRY_VOID(reservations_.take(request, home().now(), home().now() + hold));
    return Done{};
}

Operation<Result<Done>> Residents::set_up(Start request) {
    GroupId id = request.registration.group;
    auto entry = std::make_shared<const Registration>(request.registration);
    residents_.emplace(id, Resident{entry, State::starting, false, {}});
    names_.emplace(entry->name, id);
    reservations_.settle(entry->name);

    std::vector<HostName> sources{request.from};
    for (const raft::Member& member : entry->initial.members) sources.push_back(member.host);
    // Half of the time: the other half is for starting without it.
    Time until = home().now() + (request.deadline - home().now()) / 2;
    auto fetched = co_await host_.plugins->ensure(entry->machine.build, sources, until);
    if (!fetched) {
        log::warning(
            "plugin_missing",
            "the member starts without its plugin and does not apply until it is installed",
            {{"group", entry->name}, {"error", to_string(fetched.error())}});
    }
    std::string where = member_text(*entry, home().name());
    if (residents_.at(id).unwanted) {
        forget(id);
        co_return fail(Errc::member_stopped, where + ": removed before it was started");
    }
    if (home().now() >= request.deadline) {
        forget(id);
        co_return fail(Errc::deadline_exceeded, where + ": fetching the plugin took too long");
    }
    Result<Done> created = co_await create_member(std::move(request.registration));
    if (!created) {
        forget(id);
        co_return within(where, created.error());
    }
    publish(home().registry().with(entry));
    log::info("member_started", "a member was created on this host",
              {{"group", entry->name}, {"id", id.value()}, {"member", entry->member.value()}});
    settle(id, State::running);
    if (request.campaign) campaign(id);
    co_return Done{};
}

Operation<Result<Done>> Residents::create_member(Registration registration) {
    std::size_t owner = host_.owner_of(registration.group);
    Later<Result<Done>> created;
    home().at(owner, [registration = std::move(registration),
                      reply = home().back_from<Result<Done>>(owner, created.callback())](
                         HostShard& there) { there.members().create(registration, reply); });
    co_return co_await created;
}

Operation<Result<Done>> Residents::remove(DeleteMemberRequest request) {
    const auto [group, member, only_at] = request;
    remember_removal(member);
    for (;;) {
        auto found = residents_.find(group);
        if (found == residents_.end()) co_return Done{};
        Resident& resident = found->second;
        if (member && resident.registration->member != member) {
            co_return fail(Errc::not_member, member_text(*resident.registration, home().name()) +
                                                 ": another member of the group is here");
        }
        if (resident.state == State::running) break;
        if (resident.state == State::starting) resident.unwanted = true;
        co_await next_state(group);
    }
    Registry::Entry entry = residents_.at(group).registration;
    settle(group, State::leaving);
    Result<Done> erased = co_await erase_member(group, only_at);
    if (!erased && erased.error().code == Errc::change_not_permitted) {
        forget_removal(member);
        settle(group, State::running);
        co_return within(member_text(*entry, home().name()), erased.error());
    }
    if (erased) {
        log::info(
            "member_erased", "a member was removed from this host",
            {{"group", entry->name}, {"id", group.value()}, {"member", entry->member.value()}});
    } else {
        log::error("member_not_erased", "a member is stopped, but not all of it could be erased",
                   {{"group", entry->name}, {"error", to_string(erased.error())}});
    }
    if (home().registry().find(entry->name) == entry) {
        publish(home().registry().without(entry->name));
    }
    forget(group);
    if (!erased) co_return within(member_text(*entry, home().name()), erased.error());
    co_return Done{};
}

Operation<Result<Done>> Residents::erase_member(GroupId group, std::optional<Index> only_at) {
    std::size_t owner = host_.owner_of(group);
    Later<Result<Done>> erased;
    home().at(owner,
              [group, only_at,
               reply = home().back_from<Result<Done>>(owner, erased.callback())](HostShard& there) {
                  Group* member = there.members().find(group);
                  if (member == nullptr) return reply(Done{});
                  if (only_at && !is_at(*member, *only_at)) {
                      return reply(fail(Errc::change_not_permitted,
                                        "the member's log has moved on: somebody uses it"));
                  }
                  there.members().erase(group, reply);
              });
    co_return co_await erased;
}

Operation<Result<Done>> Residents::next_state(GroupId group) {
    Later<Done> changed;
    residents_.at(group).waiting.push_back(changed.callback());
    co_return co_await changed;
}

void Residents::campaign(GroupId group) {
    home().at_owner(group, [group](HostShard& owner) {
        owner.operations().run<Done>(campaign_when_ready(owner, group), [](Done) {});
    });
}

void Residents::settle(GroupId group, State state) {
    Resident& resident = residents_.at(group);
    resident.state = state;
    tell(std::exchange(resident.waiting, {}));
}

void Residents::remember_removal(MemberId member) {
    if (!member || !removed_.insert(member).second) return;
    removed_order_.push_back(member);
    if (removed_order_.size() <= removed_max) return;
    removed_.erase(removed_order_.front());
    removed_order_.pop_front();
}

void Residents::forget_removal(MemberId member) {
    if (removed_.erase(member) == 0) return;
    std::erase(removed_order_, member);
}

void Residents::forget(GroupId group) {
    auto gone = residents_.extract(group);
    auto named = names_.find(gone.mapped().registration->name);
    if (named != names_.end() && named->second == group) names_.erase(named);
    tell(std::move(gone.mapped().waiting));
}

// In a turn of their own: who waits may change what we are in the middle of.
void Residents::tell(std::vector<std::function<void(Done)>> waiting) {
    for (auto& waiter : waiting) {
        home().scheduler().post([waiter = std::move(waiter)] { waiter(Done{}); });
    }
}

void Residents::publish(std::shared_ptr<const Registry> registry) {
    for (std::size_t shard = 0; shard < host_.shards.size(); ++shard) {
        home().at(shard, [registry](HostShard& there) { there.set_registry(registry); });
    }
}

void Residents::machine_changed(GroupId group, const machine::MachineRef& machine) {
    auto found = residents_.find(group);
    if (found == residents_.end() || found->second.state != State::running) return;
    Registry::Entry before = found->second.registration;
    auto entry = std::make_shared<Registration>(*before);
    entry->machine = machine;
    found->second.registration = entry;
    // Of two groups with one name the registry has the first.
    if (home().registry().find(entry->name) != before) return;
    publish(home().registry().without(entry->name)->with(entry));
}

std::vector<std::string> Residents::missing_builds() const {
    std::set<std::string> builds;
    for (const auto& [id, resident] : residents_) {
        builds.insert(resident.registration->machine.build);
    }
    for (const PluginSummary& plugin : host_.plugins->list()) builds.erase(plugin.build);
    return {builds.begin(), builds.end()};
}

}  // namespace quorate::group
