#pragma once

#include "host/base/drain_rate.hpp"
#include "host/group/operation.hpp"
#include "host/group/service.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace quorate::group {

class Group;
class HostShard;
struct Answer;
class Backoff;

// Names a group: the id is what counts, the name is for asking other hosts and for people.
struct GroupKey {
    GroupId id;
    std::string name;
};
using SharedKey = std::shared_ptr<const GroupKey>;

// Takes commands and queries to the member that must answer them: here if it leads, else on the
// leader's host. Who leads is known from the local member, from the hints in answers, or by asking
// around. Serves the groups of its shard, whether they have a member on this host or not.
//
// Thread: the shard that owns the group's id.
class Courier {
 public:
    explicit Courier(HostShard& shard) : shard_(shard) {}
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    void submit(SharedKey group, Bytes payload, Time deadline, std::function<void(Outcome)> done);
    struct Query {
        ReadLevel level = ReadLevel::linearizable;
        Index at_least;
        Bytes query;
    };
    void query(SharedKey group, Query query, Time deadline, Reply<QueryAnswer> done);

    // Who leads the group as far as this shard knows; empty: not known.
    HostName leader(GroupId group) const;

    // The host stops: whatever waits for a leader gives up, certainly not applied.
    void stop() { stopping_ = true; }

 private:
    // Where a group was last seen. Only for groups without a member here; a local member knows better.
    struct Route {
        HostName leader;              // empty: unknown
        std::vector<HostName> hosts;  // of its members
        bool locating = false;
        std::vector<std::function<void(Result<GroupLocation>)>> waiting;
    };
    // One journey: what it learnt on the way.
    struct Journey {
        SharedKey group;
        Time deadline;
        HostName hint;                // to try next, whatever the local member believes
        Error last;                   // why the last attempt came to nothing
        std::uint32_t redirects = 0;  // in a row
        std::uint32_t pauses = 0;
    };

    Operation<Outcome> deliver(Journey journey, Bytes payload);
    Operation<Outcome> attempt_submit(HostName to, Journey& journey, Bytes payload);
    void send_query(SharedKey group, Query query, Time deadline, Reply<QueryAnswer> done);
    Operation<Result<QueryAnswer>> ask(Journey journey, Query query);
    Operation<Result<QueryAnswer>> attempt_query(HostName to, Journey& journey, Query query);

    // Where to go next; empty: nowhere yet, wait. An error ends the journey.
    Operation<Result<HostName>> next_stop(Journey& journey, ReadLevel level);
    // Nothing: this host's member cannot tell.
    std::optional<HostName> stop_by_member(Journey& journey, ReadLevel level);
    // Asks around; journeys of one group that ask at the same time ask once.
    Operation<Result<GroupLocation>> locate(SharedKey group, Time deadline);
    Operation<Result<GroupLocation>> ask_around(SharedKey group, Time deadline);
    HostName route_to(GroupId group, ReadLevel level) const;
    // After an attempt that came to nothing: learns from it and waits if need be. Whether to go on.
    Operation<bool> go_on(Journey& journey, Backoff& backoff, HostName refused_by, HostName hint,
                          Error why);
    // What to say when the time is over.
    Error gave_up(const Journey& journey) const;

    struct Load {
        std::uint32_t commands = 0;
        std::uint64_t bytes = 0;
        DrainRate rate;  // of commands and queries
    };
    Error overloaded(const GroupKey& group, const char* what) const;
    bool admit(std::size_t bytes);
    void release(std::size_t bytes);

    HostShard& shard_;
    std::unordered_map<GroupId, Route> routes_;
    Load load_;
    bool stopping_ = false;
};

}  // namespace quorate::group
