#include "host/raft/progress.hpp"

#include "host/base/check.hpp"

#include <algorithm>

namespace quorate::raft {

void Progress::acknowledged(Index index) {
    match = std::max(match, index);
    next = std::max(next, match.next());
    while (!window_.empty() && window_.front().last <= match) {
        window_bytes_ -= window_.front().bytes;
        window_.pop_front();
    }
}

void Progress::sent(Index last, std::uint64_t bytes) {
    probing_ = state == PeerState::probe;
    if (last < next) return;
    window_.push_back({last, bytes});
    window_bytes_ += bytes;
    next = last.next();
}

bool Progress::may_be_refused(Index prev) const {
    if (prev <= match) return false;  // it acknowledged that: late, or a peer that lost its memory
    return state == PeerState::replicate ||
           (state == PeerState::probe && prev == probe_from_.prev());
}

bool Progress::may_send(const Options& options) const {
    switch (state) {
        case PeerState::probe:
            return !probing_;
        case PeerState::replicate:
            return window_.size() < options.max_inflight_messages &&
                   window_bytes_ < options.max_inflight_bytes;
        case PeerState::snapshot:
            return false;
    }
    return false;
}

void Progress::become_probe(Index from) {
    state = PeerState::probe;
    probe_from_ = next = std::max(from, match.next());
    forget_window();
}

void Progress::probe_again() {
    become_probe(probe_from_);
}

void Progress::become_replicate() {
    state = PeerState::replicate;
    probing_ = false;
}

void Progress::become_snapshot() {
    state = PeerState::snapshot;
    next = match.next();
    forget_window();
}

void Progress::forget_window() {
    window_.clear();
    window_bytes_ = 0;
    probing_ = false;
}

}  // namespace quorate::raft
