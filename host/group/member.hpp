#pragma once

#include "host/base/result.hpp"
#include "host/group/messages.hpp"
#include "host/machine/machine.hpp"
#include "host/raft/core.hpp"

namespace quorate::group {

// One member as its own parts see it. Thread: the shard.
class Member {
 public:
    virtual ~Member() = default;

    // Steps an input of the core; the turn follows.
    virtual void step(raft::Input input) = 0;
    // There is something for the next turn.
    virtual void wake() = 0;
    // Pre: the member has started.
    virtual const raft::Core& core() const = 0;
    virtual bool leads() const = 0;
    virtual HostName leader_host() const = 0;  // empty: unknown
    // Where that member lives; empty if it was never heard of.
    virtual HostName host_of(MemberId member) const = 0;

    // The last entry in the machine's state.
    virtual EntryId applied() const = 0;
    // The highest that any answer was ever given from: above applied() while the machine is rebuilt.
    virtual Index highest_applied() const = 0;
    virtual Result<machine::Machine*> machine() const = 0;
    virtual bool machine_is_coming() const = 0;  // it is being loaded
};

}  // namespace quorate::group
