#pragma once

#include "host/base/mailbox.hpp"
#include "storage/log_store.hpp"

#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace quorate::storage {

// The logs in memory: for simulations, tests and the SDK's test kit. A call is durable at once and
// reported by a post to the group's executor; after hold() it is when flush() says so, which stands
// for a disk that is slow. Outlives the host that uses it: crash() is the end of one, and what was durable
// is what the next recovers.
//
// A store that does not continue its group's log is never reported and ends that group's writing,
// with a line in the log, as on disk. Executors and clients as in the contract. Thread: as LogStore;
// hold() and the like from any.
class MemoryStore final : public LogStore {
 public:
    static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

    MemoryStore();
    ~MemoryStore() override;

    std::vector<RecoveredLog> take_recovered() override;
    void create(GroupId group, Bytes registration, Executor& on,
                std::function<void(Result<void>)> done) override;
    void update_registration(GroupId group, Bytes registration, Executor& on,
                             std::function<void(Result<void>)> done) override;
    void erase(GroupId group, Executor& on, std::function<void(Result<void>)> done) override;
    void attach(GroupId group, Executor& on, LogClient& client) override;
    void detach(GroupId group) override;
    void write(GroupId group, raft::Store store) override;
    void read(GroupId group, Index from, Index to, std::uint64_t max_bytes, Executor& on,
              ReadDone done) override;
    void recover(GroupId group, Executor& on, RecoverDone done) override;
    void release(GroupId group, EntryId up_to) override;
    void repaired(GroupId group) override;
    Space space() const override;

    // From now on nothing becomes durable by itself.
    void hold();
    // The oldest `count` held calls become durable, in their order.
    void flush(std::size_t count = all);
    // Everything held becomes durable, and calls are durable at once again.
    void resume();
    std::size_t held() const;

    // What is not durable is gone, and so are the clients. take_recovered() lists what is left.
    void crash();
    // From the next recovery on the group is damaged, until repaired() is durable.
    // Pre: the group is there.
    void set_damage(GroupId group, RecoveredLog::Damage damage);
    void set_space(Space space);

 private:
    struct Log;
    struct Attachment;
    struct State;
    using Logs = std::map<GroupId, Log>;
    using Change = std::function<void(Logs&)>;
    using Report = std::function<void()>;

    // Takes effect now, becomes durable now or later, and is reported then.
    void perform(Change change, Report report);
    // Makes the oldest `count` changes durable and gives their reports.
    static std::vector<Report> settle(State& state, std::size_t count);
    void report_stored(GroupId group, Ticket ticket);

    const std::unique_ptr<Guarded<State>> state_;
};

}  // namespace quorate::storage
