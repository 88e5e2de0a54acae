#pragma once

#include "host/raft/core.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace quorate::raft::test {

// Entries after `base`, with a hash over each one and all before it.
class EntryLog {
 public:
    EntryId base() const { return base_; }
    Index last() const { return base_.index + entries_.size(); }
    const Entry& at(Index index) const { return entries_[index - base_.index.next()]; }
    std::uint64_t chain_at(Index index) const;  // base is allowed
    const std::vector<Entry>& entries() const { return entries_; }

    void append(Entry entry);
    void truncate_from(Index from);
    void release(Index up_to);  // at most last()
    void reset(EntryId base, std::uint64_t chain);

 private:
    EntryId base_;
    std::uint64_t base_chain_ = 0;
    std::vector<Entry> entries_;
    std::vector<std::uint64_t> chain_;
};

struct Snapshot {
    EntryId last;
    Membership membership;
    std::uint64_t chain = 0;  // stands for the machine's state: all that was applied, in order
};

// A member as its driver would run it: a core, a disk on which stores become durable when the test
// says so, a cache of entries, and a machine that is the hash of all it applied.
class Node {
 public:
    Node(MemberId id, const Options& options, Membership initial);

    void start(std::uint64_t seed, Time now);
    // The first `kept` stores that were on their way to the disk arrive, the rest is lost.
    void crash(std::size_t kept);
    // Loses entries from `from` on and the term and vote; the audit notices. Pre: crashed.
    void damage(Index from);

    // Gives it a past: what its disk holds, entries from index 1 on, a snapshot at an index of
    // them. Pre: not started.
    void set_disk(const HardState& hard, const std::vector<Entry>& entries, Index snapshot);

    bool up() const { return core_ != nullptr; }
    Core& core() { return *core_; }
    const Core& core() const { return *core_; }
    MemberId id() const { return id_; }
    void step(Input input) { core_->step(std::move(input)); }
    // The turn's output, with entries attached to appends; the store is queued for the disk.
    Output take();

    std::size_t unflushed() const { return pending_.size(); }
    // Makes the oldest `count` stores durable and tells the core.
    void flush(std::size_t count);

    // A snapshot of what is applied; the log from `log_start` on is kept. Nothing if there is nothing new.
    bool compact(Index log_start);
    void trim_cache(Index from);
    // Reads what NeedEntries asked for; take() then attaches it.
    EntriesFetched read(const NeedEntries& need);
    void receive_snapshot(const Snapshot& snapshot);
    const Snapshot* snapshot(EntryId last) const;
    const Snapshot* newest_snapshot() const;

    const EntryLog& log() const { return memory_; }
    Index applied() const { return applied_; }
    std::uint64_t chain() const { return applied_chain_; }
    // What a crash now would leave.
    const EntryLog& durable_log() const { return disk_; }
    HardState durable_hard() const { return hard_; }
    bool damaged() const { return damaged_; }
    std::uint64_t starts() const { return starts_; }  // so far

 private:
    struct Write {
        Store store;
        Index release;  // entries up to here go after it
    };
    void write(EntryLog& log, const Store& store);
    void write_to_disk(const Write& write);
    void attach(AppendEntries& m, MemberId to);
    void apply(const Output& output);

    MemberId id_;
    Options options_;
    Membership initial_;
    std::unique_ptr<Core> core_;

    // On disk.
    HardState hard_;
    EntryLog disk_;
    std::map<Index, Snapshot> snapshots_;
    Index snapshot_;  // the newest the core was told of
    bool damaged_ = false;
    Index promised_;

    // In memory.
    std::deque<Write> pending_;
    EntryLog memory_;
    Index cached_from_;
    struct Read {
        Index from;
        std::vector<Entry> entries;
    };
    std::map<MemberId, Read> reads_;
    Index applied_;
    std::uint64_t applied_chain_ = 0;
    std::uint64_t starts_ = 0;
};

}  // namespace quorate::raft::test
