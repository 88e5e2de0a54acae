#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"

#include <algorithm>
#include <iterator>

// The log as the core sees it (terms, sizes, memberships) kept in step with what the Store of this
// turn tells the log on disk.
namespace quorate::raft {

// Pre: the first entry follows last(); membership payloads decode.
void Core::append(std::vector<Entry>&& entries) {
    for (const Entry& entry : entries) note_appended(entry);
    std::vector<Entry>& unit = store().entries;
    if (unit.empty()) {
        unit = std::move(entries);
    } else {
        unit.insert(unit.end(), std::make_move_iterator(entries.begin()),
                    std::make_move_iterator(entries.end()));
    }
}

void Core::note_appended(const Entry& entry) {
    CHECK(entry.id.index == log_.last().index.next(), "a gap in the log");
    log_.append(entry.id.term);
    sizes_.push_back(static_cast<std::uint32_t>(entry.payload.size()));
    if (entry.kind != EntryKind::membership) return;
    auto membership = decode_membership(entry.payload.view());
    CHECK(membership.has_value());
    memberships_.append(entry.id.index, std::move(*membership));
    out_.membership = memberships_.active();
}

void Core::truncate_from(Index from) {
    CHECK(from > commit_, "a committed entry is overwritten");
    log_.truncate_from(from);
    while (!sizes_.empty() && cached_from_ + sizes_.size() > from) sizes_.pop_back();
    cached_from_ = std::min(cached_from_, from);
    if (memberships_.active_since() >= from) {
        memberships_.truncate_from(from);
        out_.membership = memberships_.active();
    }
    if (!mutant(Mutant::truncation_keeps_durable)) {
        durable_ = std::min(durable_, from.prev());
        for (std::size_t i = 0; i < outstanding_.size(); ++i)
            outstanding_[i].last = std::min(outstanding_[i].last, from.prev());
    }
    Store& unit = store();
    bool older = unit.entries.empty() || unit.entries.front().id.index > from;
    while (!unit.entries.empty() && unit.entries.back().id.index >= from) unit.entries.pop_back();
    if (older && !unit.reset)
        unit.truncate_from = std::min(unit.truncate_from.value_or(from), from);
}

// The log is replaced by a snapshot that is durable. Nothing of what was on its way to the disk
// counts any more, and nothing is durable until this store is.
void Core::reset_log(EntryId base, Membership membership) {
    log_.reset(base);
    sizes_.clear();
    cached_from_ = base.index.next();
    memberships_.reset(base.index, std::move(membership));
    out_.membership = memberships_.active();
    durable_ = {};
    for (std::size_t i = 0; i < outstanding_.size(); ++i) outstanding_[i].last = {};
    Store& unit = store();
    unit.reset = base;
    unit.truncate_from.reset();
    unit.entries.clear();
}

void Core::advance_commit(Index index) {
    CHECK(index > commit_ && index <= log_.last().index);
    commit_ = index;
    out_.commit = index;
    if (role_ != Role::leader) return;
    auto& waiting = leading_.uncommitted;
    while (!waiting.empty() && waiting.front().last <= commit_) {
        leading_.uncommitted_bytes -= waiting.front().bytes;
        waiting.pop_front();
    }
    for (Progress& peer : leading_.peers) peer.dirty = true;
    if (memberships_.active_since() <= commit_ && !is_voter(membership(), self_))
        leading_.leaves = true;
    report_removal(commit_);
}

void Core::report_removal(Index heard) {
    if (removal_reported_ || commit_ < heard || memberships_.active_since() > commit_) return;
    if (find(membership(), self_) || !memberships_.ever_named(self_, commit_)) return;
    removal_reported_ = true;
    out_.removed = true;
}

void Core::on(CacheTrimmed&& input) {
    Index from = std::min(input.from, log_.last().index.next());
    while (cached_from_ < from) {
        sizes_.pop_front();
        cached_from_ = cached_from_.next();
    }
}

// A local snapshot. One that finished after a later one was received is of no use (ra.md P6).
void Core::on(Compacted&& input) {
    if (input.snapshot.index <= snapshot_.index) return;
    CHECK(input.snapshot.index <= commit_ && log_.contains(input.snapshot),
          "a snapshot of what is not committed");
    snapshot_ = input.snapshot;
    memberships_.compact(snapshot_.index);
    Index start = std::min(input.log_start, snapshot_.index.next());
    if (start > log_.first()) log_.compact(start.prev());
    on(CacheTrimmed{std::max(cached_from_, log_.first())});
}

}  // namespace quorate::raft
