#include "tests/raft/print.hpp"

#include "host/raft/membership.hpp"

namespace quorate::raft::test {
namespace {

template <class Value>
std::string number(Value value) {
    return std::to_string(value.value());
}

std::string flag(bool on, const char* word) {
    return on ? std::string(" ") + word : std::string();
}

std::string print_entries(const std::vector<Entry>& entries) {
    std::string text;
    for (const Entry& entry : entries) text += " +" + print(entry);
    return text;
}

struct PrintMessage {
    std::string operator()(const VoteRequest& m) const {
        return std::string(m.pre_vote ? "PreVote" : "Vote") + " term=" + number(m.term) +
               " last=" + print(m.last) + flag(m.transfer, "transfer");
    }
    std::string operator()(const VoteReply& m) const {
        return std::string(m.pre_vote ? "PreVoteReply" : "VoteReply") + " term=" + number(m.term) +
               (m.granted ? " granted" : " refused");
    }
    std::string operator()(const AppendEntries& m) const {
        return "Append term=" + number(m.term) + " prev=" + print(m.prev) +
               " commit=" + number(m.commit) +
               (m.round ? " round=" + std::to_string(m.round) : "") + flag(m.sleep, "sleep") +
               print_entries(m.entries);
    }
    std::string operator()(const AppendReply& m) const {
        std::string outcome = m.accepted ? " match=" + number(m.match)
                                         : " refused=" + number(m.match) + " hint=" + print(m.hint);
        return "AppendReply term=" + number(m.term) + outcome +
               (m.round ? " round=" + std::to_string(m.round) : "") +
               flag(m.recovering, "recovering") + flag(m.asleep, "asleep");
    }
    std::string operator()(const SnapshotOffer& m) const {
        return "SnapshotOffer term=" + number(m.term) + " last=" + print(m.last) + " members " +
               print(m.membership);
    }
    std::string operator()(const TimeoutNow& m) const {
        return "TimeoutNow term=" + number(m.term);
    }
    std::string operator()(const ReadIndexRequest& m) const {
        return "ReadIndex term=" + number(m.term);
    }
    std::string operator()(const ReadIndexReply& m) const {
        return "ReadIndexReply term=" + number(m.term) +
               (m.index == Index{} ? " refused" : " index=" + number(m.index));
    }
};

const char* word(ProposeRefusal refusal) {
    constexpr const char* words[] = {"none", "not_leader", "transferring", "too_many_uncommitted"};
    return words[static_cast<int>(refusal)];
}

const char* word(ChangeRefusal refusal) {
    constexpr const char* words[] = {"none",       "not_leader",    "already_member",
                                     "not_member", "not_permitted", "no_voter_left"};
    return words[static_cast<int>(refusal)];
}

const char* word(TransferOutcome outcome) {
    constexpr const char* words[] = {"done",      "not_leader", "already_leader", "not_member",
                                     "not_voter", "timed_out",  "cancelled"};
    return words[static_cast<int>(outcome)];
}

std::string print_store(const Store& store) {
    std::string text = "store #" + number(store.ticket);
    if (store.hard) {
        text += " term=" + number(store.hard->term);
        if (store.hard->vote) text += " vote=" + number(store.hard->vote);
    }
    if (store.reset) text += " reset=" + print(*store.reset);
    if (store.truncate_from) text += " truncate=" + number(*store.truncate_from);
    return text + print_entries(store.entries);
}

}  // namespace

std::string print(EntryId id) {
    return number(id.term) + "/" + number(id.index);
}

std::string print(const Entry& entry) {
    switch (entry.kind) {
        case EntryKind::command:
            return print(entry.id) + "'" + std::string(entry.payload.text()) + "'";
        case EntryKind::noop:
            return print(entry.id) + "noop";
        case EntryKind::membership:
            return print(entry.id) + "[" + print(*decode_membership(entry.payload.view())) + "]";
        case EntryKind::host:
            return print(entry.id) + "host'" + std::string(entry.payload.text()) + "'";
    }
    return "?";
}

std::string print(const Membership& membership) {
    std::string text;
    for (const Member& member : membership.members) {
        text += (text.empty() ? "" : " ") + number(member.id);
        if (member.kind == VoteKind::promotable) text += "?" + number(member.promote_at);
        if (member.kind == VoteKind::non_voter) text += "-";
    }
    return text;
}

std::string print(const Message& message) {
    return std::visit(PrintMessage{}, message);
}

std::string print(Role role) {
    constexpr const char* words[] = {"follower", "pre-candidate", "candidate", "leader"};
    return words[static_cast<int>(role)];
}

std::vector<std::string> print(MemberId member, const Output& out) {
    std::vector<std::string> lines;
    auto line = [&](std::string text) { lines.push_back(number(member) + " " + std::move(text)); };
    if (out.role)
        line(print(out.role->role) + " term=" + number(out.role->term) +
             " leader=" + number(out.role->leader));
    if (out.store) line(print_store(*out.store));
    if (out.membership) line("members " + print(*out.membership));
    for (const Send& send : out.sends)
        lines.push_back(number(member) + "->" + number(send.to) + " " + print(send.message));
    if (out.install) line("install " + print(*out.install));
    if (out.commit) line("commit " + number(*out.commit));
    for (const Proposed& proposed : out.proposed) {
        if (proposed.refusal != ProposeRefusal::none)
            line(std::string("refuses proposal: ") + word(proposed.refusal));
    }
    for (const ReadReady& read : out.reads_ready)
        line("read " + number(read.id) + " at " + number(read.index));
    for (const ReadFailed& read : out.reads_failed) {
        line("read " + number(read.id) +
             (read.why == ReadRefusal::no_leader ? " failed: no_leader"
                                                 : " failed: leadership_lost"));
    }
    for (const Changed& change : out.changes) {
        if (change.refusal == ChangeRefusal::none) continue;
        line(std::string("refuses change: ") + word(change.refusal) +
             (change.in_the_way == Index{} ? ""
                                           : " until " + number(change.in_the_way) + " commits"));
    }
    for (const Transferred& transfer : out.transfers)
        line(std::string("transfer ") + word(transfer.outcome));
    for (const NeedEntries& need : out.need_entries)
        line("needs entries " + number(need.from) + ".." + number(need.to) + " for " +
             number(need.peer));
    if (out.snapshot_wanted)
        line("wants snapshot " + print(out.snapshot_wanted->snapshot) + " from " +
             number(out.snapshot_wanted->from));
    if (out.removed) line("is removed");
    return lines;
}

}  // namespace quorate::raft::test
