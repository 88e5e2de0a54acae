#include "host/group/changes.hpp"

#include <utility>
#include <vector>

namespace quorate::group {
namespace {

Error refusal(const raft::Changed& changed) {
    using raft::ChangeRefusal;
    switch (changed.refusal) {
        case ChangeRefusal::not_leader:
            return fail(Errc::not_leader, "only the leader changes the membership");
        case ChangeRefusal::already_member:
            return fail(Errc::already_member, "it is a member already, of that kind");
        case ChangeRefusal::not_member:
            return fail(Errc::not_member, "it is not a member");
        case ChangeRefusal::not_permitted:
            return fail(Errc::change_not_permitted,
                        "entry " + std::to_string(changed.in_the_way.value()) +
                            " must be committed before the membership may change again");
        case ChangeRefusal::no_voter_left:
            return fail(Errc::will_break_quorum, "the change would leave no voter");
        case ChangeRefusal::none:
            break;
    }
    return fail(Errc::internal, "a change was refused without a reason");
}

Error refusal(raft::ProposeRefusal why) {
    switch (why) {
        case raft::ProposeRefusal::not_leader:
            return fail(Errc::not_leader, "this member does not lead the group");
        case raft::ProposeRefusal::transferring:
            return fail(Errc::not_leader, "leadership is being handed over");
        case raft::ProposeRefusal::too_many_uncommitted:
            return fail(Errc::overloaded, "too much of the log is not committed");
        case raft::ProposeRefusal::none:
            break;
    }
    return fail(Errc::internal, "a proposal was refused without a reason");
}

Result<Done> outcome(raft::TransferOutcome outcome) {
    using raft::TransferOutcome;
    switch (outcome) {
        case TransferOutcome::done:
            return Done{};
        case TransferOutcome::not_leader:
            return fail(Errc::not_leader, "this member does not lead the group");
        case TransferOutcome::already_leader:
            return fail(Errc::already_leader, "it leads already");
        case TransferOutcome::not_member:
            return fail(Errc::not_member, "there is no such member to hand over to");
        case TransferOutcome::not_voter:
            return fail(Errc::not_voter, "only a voter can lead");
        case TransferOutcome::timed_out:
            return fail(Errc::transfer_failed, "the target did not take over in time");
        case TransferOutcome::cancelled:
            return fail(Errc::cancelled, "the transfer was cancelled");
    }
    return fail(Errc::internal, "a transfer ended in an unknown way");
}

}  // namespace

std::uint64_t Changes::wait(Time deadline, Reply<EntryId> done) {
    std::uint64_t id = next_id();
    Deadlines::Key key = deadlines_.add(deadline, [this, id] {
        auto late = appending_.extract(id);
        bool appended = late.mapped().entry.has_value();
        late.mapped().done(fail(Errc::deadline_exceeded,
                                appended
                                    ? "it was appended but not committed by the deadline; it may "
                                      "still be"
                                    : "it was not appended by the deadline"));
    });
    appending_.emplace(id, Appending{key, std::move(done), {}});
    return id;
}

void Changes::change(Change change, Time deadline, Reply<EntryId> done) {
    std::uint64_t id = wait(deadline, std::move(done));
    member_.step(raft::ChangeMembership{id, std::move(change)});
}

void Changes::propose(raft::Proposal proposal, Time deadline, Reply<EntryId> done) {
    std::uint64_t id = wait(deadline, std::move(done));
    raft::Propose propose{id, {}};
    propose.batch.push_back(std::move(proposal));
    member_.step(std::move(propose));
}

void Changes::transfer(MemberId to, Time deadline, Reply<Done> done) {
    std::uint64_t id = next_id();
    Deadlines::Key key = deadlines_.add(deadline, [this, id] {
        auto late = transferring_.extract(id);
        member_.step(raft::CancelTransfer{});
        late.mapped().done(fail(Errc::deadline_exceeded, "the target did not take over in time"));
    });
    transferring_.emplace(id, Transferring{key, std::move(done)});
    member_.step(raft::TransferLeadership{id, to});
}

void Changes::finish(std::uint64_t id, Result<EntryId> result) {
    auto found = appending_.extract(id);
    if (found.empty()) return;
    deadlines_.remove(found.mapped().deadline);
    found.mapped().done(std::move(result));
}

void Changes::on(const raft::Changed& changed) {
    if (changed.refusal != raft::ChangeRefusal::none) return refused(changed.id, refusal(changed));
    if (auto at = appending_.find(changed.id); at != appending_.end()) {
        at->second.entry = changed.entry;
    }
}

void Changes::on(const raft::Proposed& proposed) {
    if (proposed.refusal != raft::ProposeRefusal::none) {
        return refused(proposed.id, refusal(proposed.refusal));
    }
    if (auto at = appending_.find(proposed.id); at != appending_.end()) {
        at->second.entry = proposed.first;
    }
}

void Changes::on(const raft::Transferred& transferred) {
    auto found = transferring_.extract(transferred.id);
    if (found.empty()) return;
    deadlines_.remove(found.mapped().deadline);
    found.mapped().done(outcome(transferred.outcome));
}

void Changes::committed() {
    if (appending_.empty()) return;
    const raft::Core& core = member_.core();
    std::vector<std::pair<std::uint64_t, Result<EntryId>>> ended;
    for (const auto& [id, waiting] : appending_) {
        if (!waiting.entry || waiting.entry->index > core.commit()) continue;
        bool held = waiting.entry->index >= core.first();
        if (held && core.term_at(waiting.entry->index) == waiting.entry->term) {
            ended.emplace_back(id, *waiting.entry);
        } else {
            ended.emplace_back(id, fail(Errc::leadership_lost,
                                        "the leader changed while the change was under way"));
        }
    }
    for (auto& [id, result] : ended) finish(id, std::move(result));
}

void Changes::fail_all(const Error& why) {
    for (auto& [id, waiting] : std::exchange(appending_, {})) {
        deadlines_.remove(waiting.deadline);
        waiting.done(why);
    }
    for (auto& [id, waiting] : std::exchange(transferring_, {})) {
        deadlines_.remove(waiting.deadline);
        waiting.done(why);
    }
}

}  // namespace quorate::group
