#pragma once

#include "storage/log_store.hpp"
#include "tests/sim/raft_witness.hpp"

#include <functional>
#include <memory>
#include <unordered_map>

namespace quorate::sim {

// A host's log store, with the witness reading along: what is written, what is reported durable,
// and what comes back after a crash.
class WitnessLog final : public storage::LogStore {
 public:
    WitnessLog(storage::LogStore& store, RaftWitness& witness) : store_(store), witness_(witness) {}

    std::vector<storage::RecoveredLog> take_recovered() override;
    void create(GroupId group, Bytes registration, Executor& on,
                std::function<void(Result<void>)> done) override;
    void update_registration(GroupId group, Bytes registration, Executor& on,
                             std::function<void(Result<void>)> done) override {
        store_.update_registration(group, std::move(registration), on, std::move(done));
    }
    void erase(GroupId group, Executor& on, std::function<void(Result<void>)> done) override {
        store_.erase(group, on, std::move(done));
    }
    void attach(GroupId group, Executor& on, storage::LogClient& client) override;
    void detach(GroupId group) override { store_.detach(group); }
    void write(GroupId group, raft::Store store) override;
    void read(GroupId group, Index from, Index to, std::uint64_t max_bytes, Executor& on,
              ReadDone done) override {
        store_.read(group, from, to, max_bytes, on, std::move(done));
    }
    void recover(GroupId group, Executor& on, RecoverDone done) override;
    void release(GroupId group, EntryId up_to) override { store_.release(group, up_to); }
    void repaired(GroupId group) override { store_.repaired(group); }
    storage::Space space() const override { return store_.space(); }

 private:
    struct Ear final : storage::LogClient {
        Ear(RaftWitness& to, MemberId member, storage::LogClient& client)
            : witness(to), of(member), next(client) {}
        void stored(Ticket ticket) override {
            witness.stored(of, ticket);
            next.stored(ticket);
        }
        RaftWitness& witness;
        MemberId of;
        storage::LogClient& next;
    };

    storage::LogStore& store_;
    RaftWitness& witness_;
    std::unordered_map<GroupId, MemberId> members_;  // of this host
    std::unordered_map<GroupId, std::unique_ptr<Ear>> ears_;
};

}  // namespace quorate::sim
