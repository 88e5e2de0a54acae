#pragma once

#include "host/base/drain_rate.hpp"
#include "host/group/deadlines.hpp"
#include "host/group/host_memory.hpp"
#include "host/group/member.hpp"
#include "host/group/service.hpp"

#include <map>
#include <optional>
#include <vector>

namespace quorate::group {

// Queries that were taken and not yet answered: those waiting for the leader to confirm that their
// answer is current (§6.4), and those waiting for an entry to be applied. Each is answered exactly
// once, at the latest at its deadline.
//
// Thread: the shard.
class Queries {
 public:
    Queries(Member& member, Scheduler& scheduler, Deadlines& deadlines, ReplyRoom& replies,
            const raft::Options& raft)
        : member_(member),
          scheduler_(scheduler),
          deadlines_(deadlines),
          replies_(replies),
          retry_after_(raft.heartbeat_interval),
          lost_after_(raft.election_timeout) {}

    struct Query {
        ReadLevel level = ReadLevel::local;
        Index at_least;
        Bytes bytes;
        Time deadline;
    };
    void add(Query query, Reply<QueryAnswer> done);

    // One read for all linearizable queries that came or failed since the last turn.
    std::optional<raft::Read> take_read();
    void on(const raft::ReadReady& ready);
    void on(const raft::ReadFailed& failed);
    // A leader is known (again): what waited for one asks it.
    void leader_found();
    // The machine's state moved: answers what it now satisfies.
    void applied();
    // The machine is gone and does not come back by itself.
    void machine_lost();
    void fail_all(const Error& why);

    std::size_t count() const { return pending_.size(); }
    std::uint64_t bytes() const { return bytes_; }
    // When there is likely to be room again.
    std::uint32_t retry_after_ms() const { return rate_.retry_after_ms(pending_.size()); }
    std::uint64_t answered() const { return answered_; }

 private:
    using QueryId = std::uint64_t;
    struct Pending {
        ReadLevel level;
        Index fence;  // answered once this is applied
        Bytes bytes;
        Deadlines::Key deadline;
        Reply<QueryAnswer> done;
        const char* waits_for;  // for the deadline's error
        std::optional<std::multimap<Index, QueryId>::iterator> fenced;
    };
    struct Asked {
        std::vector<QueryId> queries;
        Deadlines::Key lost;  // asks again if no answer comes
    };

    void expire(QueryId id);
    void wait_or_answer(QueryId id);
    void answer(QueryId id);
    void finish(QueryId id, Result<QueryAnswer> result);
    Result<QueryAnswer> ask_machine(const Pending& query) const;
    void ask_again(std::vector<QueryId> queries);

    Member& member_;
    Scheduler& scheduler_;
    Deadlines& deadlines_;
    ReplyRoom& replies_;
    const Duration retry_after_;
    const Duration lost_after_;
    std::map<QueryId, Pending> pending_;
    std::vector<QueryId> unasked_;  // linearizable, to be asked with the next turn
    std::vector<QueryId> parked_;   // refused for want of a leader
    std::map<ReadId, Asked> asked_;
    std::multimap<Index, QueryId> fenced_;  // waiting for an entry to be applied
    QueryId last_id_ = 0;
    std::uint64_t last_read_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t bytes_ = 0;  // of those pending
    DrainRate rate_;           // of queries
};

}  // namespace quorate::group
