#pragma once

#include "host/group/deadlines.hpp"
#include "host/group/group.hpp"
#include "host/group/member.hpp"

#include <map>
#include <optional>
#include <variant>

namespace quorate::group {

// Membership changes, leadership transfers and the end of life: what is asked of the core one at a
// time and answered when it is committed, or done. Each ends exactly once, at the latest at its deadline.
//
// Thread: the shard.
class Changes {
 public:
    using Change = std::variant<raft::AddMember, raft::RemoveMember, raft::SetVoteKind>;

    Changes(Member& member, Deadlines& deadlines) : member_(member), deadlines_(deadlines) {}

    // Answered with the entry once it is committed.
    void change(Change change, Time deadline, Reply<EntryId> done);
    void propose(raft::Proposal proposal, Time deadline, Reply<EntryId> done);
    void transfer(MemberId to, Time deadline, Reply<Done> done);

    void on(const raft::Changed& changed);
    void on(const raft::Proposed& proposed);
    void on(const raft::Transferred& transferred);
    // The commit index moved.
    void committed();
    void fail_all(const Error& why);

    // Names a request to the core; also for those that are made elsewhere.
    std::uint64_t next_id() { return ++last_id_; }

 private:
    struct Appending {
        Deadlines::Key deadline;
        Reply<EntryId> done;
        std::optional<EntryId> entry;  // where it was appended
    };
    struct Transferring {
        Deadlines::Key deadline;
        Reply<Done> done;
    };

    std::uint64_t wait(Time deadline, Reply<EntryId> done);
    void finish(std::uint64_t id, Result<EntryId> result);
    void refused(std::uint64_t id, Error why) { finish(id, std::move(why)); }

    Member& member_;
    Deadlines& deadlines_;
    std::map<std::uint64_t, Appending> appending_;
    std::map<std::uint64_t, Transferring> transferring_;
    std::uint64_t last_id_ = 0;
};

}  // namespace quorate::group
