#include "host/raft/core.hpp"

#include <algorithm>
#include <tuple>

// Leadership transfer (§3.10): stop taking proposals, wait until the heir's log is complete, have it
// campaign at once. After one election timeout without a new leader, things go on as before.
namespace quorate::raft {

void Core::on(TransferLeadership&& input) {
    TransferOutcome refusal = start_transfer(input);
    if (refusal != TransferOutcome::done) out_.transfers.push_back({input.id, refusal});
}

// done: it is under way.
TransferOutcome Core::start_transfer(const TransferLeadership& input) {
    if (role_ != Role::leader) return TransferOutcome::not_leader;
    if (input.to == self_) return TransferOutcome::already_leader;
    MemberId to = input.to ? input.to : best_successor();
    if (!find(membership(), to)) return TransferOutcome::not_member;
    if (!is_voter(membership(), to)) return TransferOutcome::not_voter;
    if (transfer_) end_transfer(TransferOutcome::cancelled);
    transfer_ = Transfer{input.id, to, now_ + options_.election_timeout, false};
    stir();
    if (Progress* heir = peer(to)) heir->dirty = true;
    return TransferOutcome::done;
}

// The voter whose log is most complete among those heard from, and of several the one that has
// applied most: a machine that stands still is of no use to a leader. 0 if there is none.
MemberId Core::best_successor() const {
    const Progress* best = nullptr;
    for (const Progress& peer : leading_.peers) {
        bool able =
            is_voter(membership(), peer.id) && !peer.recovering && (peer.active || peer.was_active);
        if (!able) continue;
        if (!best || std::tie(peer.match, peer.applied) > std::tie(best->match, best->applied))
            best = &peer;
    }
    return best ? best->id : MemberId{};
}

void Core::drive_transfer() {
    if (!transfer_ || transfer_->told) return;
    Progress* heir = peer(transfer_->to);
    if (!heir || heir->recovering || heir->match != log_.last().index) return;
    transfer_->told = true;
    send(heir->id, TimeoutNow{hard_.term});
}

void Core::on(CancelTransfer&&) {
    if (transfer_) end_transfer(TransferOutcome::cancelled);
}

void Core::end_transfer(TransferOutcome outcome) {
    out_.transfers.push_back({transfer_->id, outcome});
    transfer_.reset();
}

}  // namespace quorate::raft
