#include "host/raft/term_log.hpp"

#include "host/base/check.hpp"

#include <algorithm>

namespace quorate::raft {

TermLog::TermLog(EntryId base, std::vector<TermRun> runs, Index last)
    : base_(base), last_(last), runs_(std::move(runs)) {
    CHECK(last_ >= base_.index);
    CHECK(runs_.empty() == (last_ == base_.index));
    Term term = base_.term;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
        CHECK(runs_[i].term >= term && runs_[i].first <= last_);
        CHECK(i == 0 ? runs_[i].first == first() : runs_[i].first > runs_[i - 1].first);
        term = runs_[i].term;
    }
}

EntryId TermLog::last() const {
    return runs_.empty() ? base_ : EntryId{runs_.back().term, last_};
}

std::vector<TermRun>::const_iterator TermLog::run_of(Index index) const {
    auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                  [](Index i, const TermRun& run) { return i < run.first; });
    return std::prev(after);
}

Term TermLog::term_at(Index index) const {
    CHECK(holds(index));
    if (index == base_.index) return base_.term;
    if (index >= runs_.back().first) return runs_.back().term;
    return run_of(index)->term;
}

EntryId TermLog::latest_not_after(Index limit, Term term) const {
    Index at = std::min(limit, last_);
    while (at > base_.index) {
        auto run = run_of(at);
        if (run->term <= term) return {run->term, at};
        at = run->first.prev();
    }
    return base_;
}

void TermLog::append(Term term) {
    CHECK(term >= last().term);
    last_ = last_.next();
    if (runs_.empty() || runs_.back().term != term) runs_.push_back({last_, term});
}

void TermLog::truncate_from(Index from) {
    CHECK(from > base_.index);
    if (from > last_) return;
    last_ = from.prev();
    while (!runs_.empty() && runs_.back().first > last_) runs_.pop_back();
}

void TermLog::compact(Index index) {
    CHECK(holds(index));
    if (index == base_.index) return;
    base_ = id_at(index);
    if (index == last_) return runs_.clear();
    auto keep = run_of(index.next());
    runs_.erase(runs_.begin(), keep);
    runs_.front().first = first();
}

void TermLog::reset(EntryId base) {
    base_ = base;
    last_ = base.index;
    runs_.clear();
}

}  // namespace quorate::raft
