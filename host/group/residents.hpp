#pragma once

#include "host/group/host_shard.hpp"
#include "host/group/reservations.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quorate::group {

// Which members live on this host: the one place where members come and go. A name belongs to one
// group at a time, from the first step of its start until all of it is erased. What is settled is
// published to every shard as the next Registry.
//
// Thread: shard 0; the members themselves live on their shards.
class Residents {
 public:
    explicit Residents(HostContext& host)
        : host_(host), reservations_(host.options.max_names_held) {}

    // A member that the log store recovered. Durable already, so it starts at once.
    void adopt(Registration registration, storage::RecoveredLog recovered);

    // Starts the member that the registration describes, once: durable first, its plugin fetched if
    // it is not here. The same member again does nothing but campaign, if asked to.
    // Errc::group_exists (the name is another group's), already_member (another incarnation of the
    // group is here), change_not_permitted (it is being removed, or the name is reserved for another
    // group), deadline_exceeded (not started).
    struct Start {
        Registration registration;
        bool campaign = false;
        HostName from;  // fetch the plugin there first
        Time deadline;
    };
    Operation<Result<Done>> start(Start request);

    // Stops and erases a member; done when durable, also if there is none. Member 0: whichever it is.
    // Errc::not_member: another incarnation is here; change_not_permitted: its log does not end where
    // the request says.
    Operation<Result<Done>> remove(DeleteMemberRequest request);

    // The member runs another build of its machine from now on, which is durable on its own.
    void machine_changed(GroupId group, const machine::MachineRef& machine);

    // Keeps the name for a group that is being created, or no longer.
    // Errc::group_exists: the name is another group's; change_not_permitted: another is being created, or
    // a former one's member removed.
    Result<Done> reserve(const ReserveNameRequest& request);

    // Builds that members here need and this host does not have.
    std::vector<std::string> missing_builds() const;

 private:
    enum class State : std::uint8_t { starting, running, leaving };
    struct Resident {
        Registry::Entry registration;
        State state = State::starting;
        bool unwanted = false;                           // removed before it had started
        std::vector<std::function<void(Done)>> waiting;  // for the next state
    };

    Result<void> admit(const Registration& registration) const;
    Operation<Result<Done>> set_up(Start request);
    Operation<Result<Done>> create_member(Registration registration);
    Operation<Result<Done>> erase_member(GroupId group, std::optional<Index> only_at);
    Operation<Result<Done>> next_state(GroupId group);
    void campaign(GroupId group);
    void settle(GroupId group, State state);
    void forget(GroupId group);
    void remember_removal(MemberId member);
    void forget_removal(MemberId member);
    void tell(std::vector<std::function<void(Done)>> waiting);
    void publish(std::shared_ptr<const Registry> registry);
    HostShard& home() const { return *host_.shards.front(); }

    HostContext& host_;
    std::unordered_map<GroupId, Resident> residents_;
    std::unordered_map<std::string, GroupId> names_;
    Reservations reservations_;
    // Members whose removal was asked for, newest last, so many at most: a request to start one of them
    // that the network delivers late must not bring it back. Ids are never used twice.
    static constexpr std::size_t removed_max = 16384;
    std::unordered_set<MemberId> removed_;
    std::deque<MemberId> removed_order_;
};

}  // namespace quorate::group
