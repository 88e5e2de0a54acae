#pragma once

#include "host/group/background.hpp"
#include "host/group/entry_cache.hpp"
#include "host/group/machine_loader.hpp"
#include "host/group/outcome_collector.hpp"
#include "host/group/registration.hpp"
#include "host/group/status.hpp"
#include "storage/log_store.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorate::group {

// Told what applying did. Thread: the shard.
class ApplyListener {
 public:
    virtual ~ApplyListener() = default;
    // Each entry in order, of every kind; `reply` is empty unless wants_reply() said so.
    virtual void entry_applied(EntryId entry, const Bytes& reply) = 0;
    virtual bool wants_reply(EntryId entry) const = 0;
    // A batch ended, or a machine was loaded: the state is at applied() now.
    virtual void state_moved() = 0;
    // The machine is about to be destroyed: no view of it may be opened, those open must end.
    virtual void machine_leaves() = 0;
    // Applying stopped until something changes: state() and trouble() say why.
    virtual void applying_stopped() = 0;
    // standstill() changed, and with its end build() may have: both are to be remembered.
    virtual void build_changed() = 0;
    // The group's end is committed, and all before it is applied, or nothing is any more.
    virtual void end_of_life(EntryId entry) = 0;
};

// Hands committed entries to the machine, in order, in batches, and keeps the machine: loads it and
// rebuilds it once after a fault. If the fault comes back it stands still until a build that has
// not failed there is installed (repair.hpp), which begins anew from the newest snapshot and must
// repeat what was applied before. Nothing of that touches consensus.
//
// Invariant: the machine's state is exactly that after entry applied().
// Thread: the shard.
class Applier {
 public:
    enum class State : std::uint8_t { loading, running, waiting_for_plugin, faulted, ended };
    struct Limits {
        std::uint32_t batch_entries;
        std::uint64_t read_bytes = 1 << 20;   // of entries that are read back from the log store
        std::uint64_t reply_bytes = 4 << 20;  // of one batch; beyond, the next ones are shorter
    };
    struct Environment {
        MemberScheduler& scheduler;
        Background& background;
        storage::LogStore& log;
        const EntryCache& cache;
        MachineSource source;
        Standstill standstill;  // as it was remembered
        ApplyListener& listener;
        ReplyRoom& replies;  // while it is full, nothing is applied
    };

    Applier(Environment environment, Limits limits)
        : env_(std::move(environment)),
          limits_(limits),
          standstill_(std::move(env_.standstill)),
          reached_{standstill_.reached, standstill_.outcome_hash},
          outcome_(env_.source.group, env_.replies) {}

    // What was found at the start; then entries may come. Pre: once, before commit_to().
    void begin(FoundState found);
    // Entries up to here are committed.
    void commit_to(Index index);
    // Replaces the state by that of a snapshot which is durable here; entries go on after it.
    void install(EntryId snapshot);
    // The newest snapshot that a rebuild may start from: durable, at or below applied().
    void rebuild_from(EntryId snapshot) { base_ = snapshot; }
    // A plugin was installed: a machine that could not be had is tried once more, and one that
    // failed in another build, if one is here.
    void try_again();
    // Applies nothing from now on and lets the machine go.
    void stop();

    // What the machine is made of: build and snapshots.
    const MachineSource& source() const { return env_.source; }
    const machine::MachineRef& build() const { return env_.source.ref; }
    const Standstill& standstill() const { return standstill_; }
    State state() const { return state_; }
    const std::optional<Error>& trouble() const { return trouble_; }
    EntryId applied() const { return applied_; }
    // That any answer was ever given from, as far as it is known.
    Index highest_applied() const { return std::max(highest_, reached_.index); }
    std::int64_t time_ms() const { return time_ms_; }
    std::uint64_t outcome_hash() const { return outcome_.hash(); }
    std::uint64_t commands() const { return commands_count_; }
    // Entries that were applied before are applied to a machine that was rebuilt.
    bool replaying() const { return applied_.index < highest_applied(); }
    // Shared, because a view that is being saved keeps its machine alive.
    const std::shared_ptr<machine::Machine>& machine() const { return machine_; }

 private:
    // How far applying came in any build, and the outcome hash there.
    struct Reached {
        Index index;
        std::uint64_t outcome_hash = 0;
    };

    bool stands_still() const {
        return state_ == State::waiting_for_plugin || state_ == State::faulted;
    }
    // ---- the machine (applier_machine.cpp)
    void load(EntryId snapshot);
    void loaded(Result<LoadedMachine> result);
    void take_over(LoadedMachine loaded);
    void cannot_load(Error error);
    void drop_machine();
    void faulted(const machine::Machine::Fault& fault);
    std::optional<Error> find_difference() const;
    void build_failed();
    void settle_build();
    void stop_at(Index index, Error error);
    void stand_still(Error error);
    // ---- entries (applier.cpp)
    void schedule();
    void wait_for_readers();
    void run();
    const raft::Entry* find(Index index) const;
    void read_entries(Index from);
    void read_done(Index from, Result<std::vector<raft::Entry>> read);
    void look_for_end();
    std::size_t collect_batch();
    bool collect(const raft::Entry& entry);
    std::optional<machine::Machine::Fault> call_machine();
    void apply_batch();
    void adapt_pace();
    void account(std::size_t entries, std::size_t commands);
    void tell(std::size_t entries);

    Environment env_;
    const Limits limits_;
    State state_ = State::loading;
    std::optional<Error> trouble_;
    std::shared_ptr<machine::Machine> machine_;
    EntryId base_;  // the snapshot that a rebuild starts from
    EntryId applied_;
    Index highest_;
    Index commit_;
    std::int64_t time_ms_ = 0;
    Standstill standstill_;
    Reached reached_;
    bool other_build_may_do_ = false;  // while it stands still: the trouble is the build's
    Index looked_;                     // while it stands still: looked through up to here
    bool looking_failed_ = false;
    OutcomeCollector outcome_;
    std::uint64_t commands_count_ = 0;
    Index last_fault_;        // 0: none; entries up to it are applied one by one
    std::uint64_t load_ = 0;  // names the newest load: older ones are ignored when they end
    bool scheduled_ = false;
    bool reading_ = false;
    std::uint64_t pace_ = limits_.batch_entries;  // entries of the next turn

    std::vector<raft::Entry> read_;  // from the log store, consecutive

    // The batch at hand; members so that their memory is used again.
    std::vector<const raft::Entry*> entries_;
    std::vector<machine::Command> commands_;
    std::optional<Error> malformed_;  // the entry after the batch cannot be applied
};

}  // namespace quorate::group
