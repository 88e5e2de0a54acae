#include "host/group/submissions.hpp"

#include "host/base/check.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {

void Submissions::add(Bytes payload, Time deadline, Reply done) {
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    std::uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    Ticket ticket{index, slot.generation};
    slot.used = true;
    slot.proposed = false;
    slot.bytes = payload.size();
    slot.done = std::move(done);
    slot.deadline = deadlines_.add(deadline, [this, ticket] { expire(ticket); });
    ++in_use_;
    bytes_ += payload.size();
    slot.payload = std::move(payload);
    ++unproposed_;
    forget_answered();
    queued_.push_back(ticket);
}

// Those whose deadline passed while the group waited to propose: there may be any number of them.
void Submissions::forget_answered() {
    constexpr std::size_t kept = 64;
    if (queued_.size() < 2 * unproposed_ + kept) return;
    std::erase_if(queued_, [this](Ticket ticket) { return find(ticket) == nullptr; });
}

Submissions::Slot* Submissions::find(Ticket ticket) {
    Slot& slot = slots_[ticket.slot];
    return slot.used && slot.generation == ticket.generation ? &slot : nullptr;
}

void Submissions::answer(Ticket ticket, Outcome outcome) {
    Slot* slot = find(ticket);
    if (slot == nullptr) return;
    if (slot->deadline) deadlines_.remove(*slot->deadline);
    Reply done = std::move(slot->done);
    slot->done = nullptr;
    slot->used = false;
    ++slot->generation;
    --in_use_;
    bytes_ -= slot->bytes;
    if (!slot->proposed) --unproposed_;
    slot->payload = {};
    rate_.drained(1);
    free_.push_back(ticket.slot);
    if (done) done(std::move(outcome));
}

void Submissions::expire(Ticket ticket) {
    Slot* slot = find(ticket);
    if (slot == nullptr) return;
    slot->deadline.reset();  // it is what ran
    if (slot->proposed) {
        // The slot is kept: what is in the log takes room until it is settled.
        Reply done = std::exchange(slot->done, nullptr);
        return done(Unknown{fail(Errc::deadline_exceeded,
                                 "the command was appended to the log but not applied by "
                                 "its deadline; it may still be")});
    }
    answer(ticket, NotApplied{fail(Errc::deadline_exceeded,
                                   "the command's deadline passed before it was appended"),
                              {}});
}

std::optional<raft::Propose> Submissions::take_batch(std::uint64_t id) {
    rate_.look(scheduler_.now());
    raft::Propose propose{id, {}};
    std::vector<Ticket> tickets;
    for (Ticket queued : std::exchange(queued_, {})) {
        Slot* slot = find(queued);
        if (slot == nullptr) continue;
        slot->proposed = true;
        --unproposed_;
        tickets.push_back(queued);
        propose.batch.push_back({raft::EntryKind::command, std::move(slot->payload)});
    }
    if (tickets.empty()) return std::nullopt;
    batches_.emplace(id, std::move(tickets));
    return propose;
}

void Submissions::appended(const raft::Proposed& proposed) {
    auto batch = batches_.extract(proposed.id);
    if (batch.empty()) return;
    EntryId entry = proposed.first;
    CHECK(appended_.empty() || appended_.back().entry.index < entry.index,
          "a leader appended below its own last entry");
    for (Ticket ticket : batch.mapped()) {
        appended_.push_back({entry, ticket});
        entry.index = entry.index.next();
    }
}

void Submissions::refused(std::uint64_t id, const NotApplied& why) {
    auto batch = batches_.extract(id);
    if (batch.empty()) return;
    for (Ticket ticket : batch.mapped()) answer(ticket, why);
}

bool Submissions::wants(EntryId entry) const {
    if (!orphans_.empty() && orphans_.begin()->first <= entry.index) return true;
    return !appended_.empty() && appended_.front().entry.index <= entry.index &&
           entry.index <= appended_.back().entry.index;
}

void Submissions::applied(EntryId entry, const Bytes& reply) {
    while (!appended_.empty() && appended_.front().entry.index <= entry.index) {
        Appended front = appended_.front();
        appended_.pop_front();
        settle(front.ticket, front.entry, entry, reply);
    }
    if (!orphans_.empty()) settle_orphans(entry, reply);
}

void Submissions::settle(Ticket ticket, EntryId entry, EntryId at, const Bytes& reply) {
    if (entry == at) return answer(ticket, Applied{entry, reply});
    CHECK(entry.index == at.index, "an entry was applied unseen");
    answer(ticket, NotApplied{fail(Errc::leadership_lost,
                                   "the leader changed and another entry was committed in the "
                                   "command's place: it was not applied",
                                   "send it again"),
                              {}});
}

void Submissions::settle_orphans(EntryId entry, const Bytes& reply) {
    while (!orphans_.empty() && orphans_.begin()->first <= entry.index) {
        Orphan orphan = orphans_.begin()->second;
        orphans_.erase(orphans_.begin());
        settle(orphan.ticket, orphan.entry, entry, reply);
    }
}

void Submissions::leadership_lost() {
    if (appended_.empty()) return;
    Time until = scheduler_.now() + linger_;
    for (Ring<Appended> lost = std::exchange(appended_, {}); !lost.empty(); lost.pop_front()) {
        const Appended& appended = lost.front();
        Slot* slot = find(appended.ticket);
        if (slot == nullptr) continue;
        if (!slot->done) {
            answer(appended.ticket, {});  // nobody waits
            continue;
        }
        orphans_.emplace(appended.entry.index, Orphan{appended.entry, appended.ticket, until});
    }
    deadlines_.add(until, [this] { expire_orphans(); });
}

void Submissions::expire_orphans() {
    Time now = scheduler_.now();
    std::vector<Ticket> due;
    for (auto at = orphans_.begin(); at != orphans_.end();) {
        if (at->second.until > now) {
            ++at;
            continue;
        }
        due.push_back(at->second.ticket);
        at = orphans_.erase(at);
    }
    for (Ticket ticket : due) {
        answer(ticket, Unknown{fail(Errc::leadership_lost,
                                    "the leader changed while the command was under way: whether "
                                    "it was or will be applied is unknown")});
    }
}

void Submissions::skipped(Index up_to) {
    std::vector<Ticket> passed;
    while (!appended_.empty() && appended_.front().entry.index <= up_to) {
        passed.push_back(appended_.front().ticket);
        appended_.pop_front();
    }
    auto end = orphans_.upper_bound(up_to);
    for (auto at = orphans_.begin(); at != end; ++at) passed.push_back(at->second.ticket);
    orphans_.erase(orphans_.begin(), end);
    for (Ticket ticket : passed) {
        answer(ticket, Unknown{fail(Errc::leadership_lost,
                                    "the member took over a snapshot while the command was under "
                                    "way: whether it was applied is unknown")});
    }
}

// Those at this entry and after it, in the order of their entries.
std::vector<Submissions::Ticket> Submissions::take_from(Index from) {
    std::vector<Ticket> taken;
    for (; !appended_.empty() && appended_.back().entry.index >= from; appended_.pop_back())
        taken.push_back(appended_.back().ticket);
    std::reverse(taken.begin(), taken.end());
    auto begin = orphans_.lower_bound(from);
    for (auto at = begin; at != orphans_.end(); ++at) taken.push_back(at->second.ticket);
    orphans_.erase(begin, orphans_.end());
    return taken;
}

void Submissions::ended(Index from, const Error& why) {
    for (Ticket ticket : take_from(from.next())) answer(ticket, NotApplied{why, {}});
}

void Submissions::stand_still(Index from, const Error& why) {
    Error unknown = why;
    if (why.code == Errc::plugin_fault) {
        unknown.hint =
            "the command is in the log: another member may apply it, or a repaired build later; "
            "look "
            "before you send it again";
    }
    std::vector<Ticket> queued = std::exchange(queued_, {});
    for (Ticket ticket : take_from(from)) answer(ticket, Unknown{unknown});
    for (Ticket ticket : queued) answer(ticket, NotApplied{why, {}});
}

void Submissions::fail_all(const Error& why, const std::string& leader) {
    queued_.clear();
    batches_.clear();
    appended_.clear();
    orphans_.clear();
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
        if (!slots_[i].used) continue;
        Ticket ticket{i, slots_[i].generation};
        if (slots_[i].proposed) {
            answer(ticket, Unknown{why});
        } else {
            answer(ticket, NotApplied{why, leader});
        }
    }
}

}  // namespace quorate::group
