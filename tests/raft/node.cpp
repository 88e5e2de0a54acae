#include "tests/raft/node.hpp"

#include "host/base/check.hpp"

#include <algorithm>

namespace quorate::raft::test {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    return Random(hash * 31 + value).next();
}

std::uint64_t chain_of(std::uint64_t before, const Entry& entry) {
    std::uint64_t hash = mix(mix(before, entry.id.term.value()), entry.id.index.value());
    hash = mix(hash, static_cast<std::uint64_t>(entry.kind));
    for (std::byte byte : entry.payload.view())
        hash = hash * 1099511628211u + std::to_integer<unsigned>(byte);
    return hash;
}

}  // namespace

std::uint64_t EntryLog::chain_at(Index index) const {
    return index == base_.index ? base_chain_ : chain_[index - base_.index.next()];
}

void EntryLog::append(Entry entry) {
    CHECK(entry.id.index == last().next(), "a gap in the log");
    chain_.push_back(chain_of(chain_at(last()), entry));
    entries_.push_back(std::move(entry));
}

void EntryLog::truncate_from(Index from) {
    if (from > last()) return;
    CHECK(from > base_.index);
    entries_.resize(from - base_.index.next());
    chain_.resize(entries_.size());
}

void EntryLog::release(Index up_to) {
    up_to = std::min(up_to, last());
    if (up_to <= base_.index) return;
    auto count = static_cast<std::ptrdiff_t>(up_to - base_.index);
    base_chain_ = chain_at(up_to);
    base_ = at(up_to).id;
    entries_.erase(entries_.begin(), entries_.begin() + count);
    chain_.erase(chain_.begin(), chain_.begin() + count);
}

void EntryLog::reset(EntryId base, std::uint64_t chain) {
    base_ = base;
    base_chain_ = chain;
    entries_.clear();
    chain_.clear();
}

Node::Node(MemberId id, const Options& options, Membership initial)
    : id_(id), options_(options), initial_(std::move(initial)) {}

void Node::start(std::uint64_t seed, Time now) {
    const Snapshot* newest = newest_snapshot();
    Initial initial{.group = GroupId(1), .epoch = Epoch(1), .self = id_, .hard = hard_};
    initial.base = disk_.base();
    initial.membership = newest ? newest->membership : initial_;
    if (newest) initial.snapshot = newest->last;
    initial.last = disk_.last();
    for (const Entry& entry : disk_.entries()) {
        if (initial.runs.empty() || initial.runs.back().term != entry.id.term)
            initial.runs.push_back({entry.id.index, entry.id.term});
        if (entry.kind == EntryKind::membership && entry.id.index > initial.snapshot.index)
            initial.memberships.push_back(entry);
    }
    initial.recovering = damaged_;
    initial.recover_past = promised_;
    memory_ = disk_;
    cached_from_ = memory_.last().next();
    snapshot_ = applied_ = initial.snapshot.index;
    applied_chain_ = newest ? newest->chain : 0;
    starts_++;
    core_ = std::make_unique<Core>(options_, std::move(initial), seed, now);
}

void Node::crash(std::size_t kept) {
    CHECK(up());
    for (std::size_t i = 0; i < std::min(kept, pending_.size()); ++i) write_to_disk(pending_[i]);
    pending_.clear();
    reads_.clear();
    core_.reset();
}

void Node::damage(Index from) {
    CHECK(!up());
    promised_ = disk_.last();
    damaged_ = true;
    Index floor = snapshots_.empty() ? Index{} : snapshots_.rbegin()->first;
    disk_.truncate_from(std::max(from, std::max(floor, disk_.base().index).next()));
    hard_ = {disk_.entries().empty() ? disk_.base().term : disk_.entries().back().id.term, {}};
}

void Node::set_disk(const HardState& hard, const std::vector<Entry>& entries, Index snapshot) {
    hard_ = hard;
    Membership members = initial_;
    for (const Entry& entry : entries) {
        disk_.append(entry);
        if (entry.kind == EntryKind::membership && entry.id.index <= snapshot)
            members = *decode_membership(entry.payload.view());
    }
    if (snapshot == Index{}) return;
    snapshots_[snapshot] = {disk_.at(snapshot).id, members, disk_.chain_at(snapshot)};
    disk_.release(snapshot);
}

void Node::write(EntryLog& log, const Store& store) {
    if (store.reset) {
        const Snapshot* base = snapshot(*store.reset);
        CHECK(base != nullptr, "the log is reset to a snapshot that is not there");
        log.reset(*store.reset, base->chain);
    }
    if (store.truncate_from) log.truncate_from(*store.truncate_from);
    for (const Entry& entry : store.entries) log.append(entry);
}

void Node::write_to_disk(const Write& one) {
    if (one.store.hard) hard_ = *one.store.hard;
    write(disk_, one.store);
    disk_.release(one.release);
}

Output Node::take() {
    Output output = core_->take();
    if (output.store) {
        write(memory_, *output.store);
        if (output.store->reset)
            cached_from_ = memory_.last().next() - output.store->entries.size();
        if (output.store->truncate_from)
            cached_from_ = std::min(cached_from_, *output.store->truncate_from);
        pending_.push_back({*output.store, {}});
    }
    for (Send& send : output.sends) {
        if (auto* append = std::get_if<AppendEntries>(&send.message)) attach(*append, send.to);
    }
    reads_.clear();
    apply(output);
    if (damaged_ && !core_->recovering() && pending_.empty()) damaged_ = false;
    return output;
}

void Node::attach(AppendEntries& m, MemberId to) {
    for (Index i = m.prev.index.next(); i <= m.last; i = i.next()) {
        if (i >= cached_from_) {
            m.entries.push_back(memory_.at(i));
            continue;
        }
        auto read = reads_.find(to);
        CHECK(read != reads_.end() && i >= read->second.from,
              "an entry is neither cached nor was it read");
        m.entries.push_back(read->second.entries.at(i - read->second.from));
    }
}

void Node::apply(const Output& output) {
    if (output.install) {
        applied_ = output.install->index;
        applied_chain_ = snapshot(*output.install)->chain;
        snapshot_ = applied_;
    }
    if (output.commit) {
        CHECK(*output.commit >= applied_);
        applied_ = *output.commit;
        applied_chain_ = memory_.chain_at(applied_);
        core_->step(Applied{applied_});
    }
}

void Node::flush(std::size_t count) {
    Ticket ticket;
    for (; count > 0 && !pending_.empty(); --count) {
        write_to_disk(pending_.front());
        ticket = pending_.front().store.ticket;
        pending_.pop_front();
    }
    if (ticket) core_->step(Stored{ticket});
}

bool Node::compact(Index log_start) {
    if (applied_ <= snapshot_ || memory_.base().index > applied_) return false;
    Snapshot made{memory_.at(applied_).id, core_->membership_at(applied_), applied_chain_};
    snapshots_[applied_] = made;
    snapshot_ = applied_;
    log_start = std::min(log_start, applied_.next());
    core_->step(Compacted{made.last, made.membership, log_start});
    if (pending_.empty()) {
        disk_.release(log_start.prev());
    } else {
        pending_.back().release = log_start.prev();
    }
    memory_.release(log_start.prev());
    cached_from_ = std::max(cached_from_, memory_.base().index.next());
    return true;
}

void Node::trim_cache(Index from) {
    cached_from_ = std::max(cached_from_, std::min(from, memory_.last().next()));
    core_->step(CacheTrimmed{from});
}

EntriesFetched Node::read(const NeedEntries& need) {
    EntriesFetched fetched{.peer = need.peer, .from = need.from, .term = need.term};
    Read& read = reads_[need.peer];
    read = {need.from, {}};
    std::uint64_t bytes = 0;
    for (Index i = need.from; i <= std::min(need.to, memory_.last()); i = i.next()) {
        if (i <= memory_.base().index) break;
        const Entry& entry = memory_.at(i);
        bytes += entry.payload.size();
        if (bytes > need.max_bytes && !read.entries.empty()) break;
        read.entries.push_back(entry);
        fetched.bytes.push_back(static_cast<std::uint32_t>(entry.payload.size()));
    }
    return fetched;
}

void Node::receive_snapshot(const Snapshot& received) {
    snapshots_[received.last.index] = received;
    core_->step(SnapshotReceived{received.last, received.membership});
}

const Snapshot* Node::newest_snapshot() const {
    return snapshots_.empty() ? nullptr : &snapshots_.rbegin()->second;
}

const Snapshot* Node::snapshot(EntryId last) const {
    auto found = snapshots_.find(last.index);
    return found != snapshots_.end() && found->second.last == last ? &found->second : nullptr;
}

}  // namespace quorate::raft::test
