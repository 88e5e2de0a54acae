#include "tests/sim/witness.hpp"

namespace quorate::sim {
namespace {

std::string place(GroupId group, EntryId entry) {
    return "group " + std::to_string(group.value()) + " entry " +
           std::to_string(entry.index.value()) + " of term " + std::to_string(entry.term.value());
}

std::string tagged(kv::Tag tag) {
    return std::string(1, static_cast<char>(tag));
}

}  // namespace

// What the reply had to be, by the plainest implementation there is; and the key's history.
std::string Witness::model_reply(History& history, Index index, std::string_view payload) {
    Decoder in(payload);
    auto op = in.get<kv::Op>();
    std::string key(in.get_string());
    auto& versions = history.keys[key];
    std::optional<std::string> now = versions.empty() ? std::nullopt : versions.rbegin()->second;
    if (op == kv::Op::put) {
        versions[index] = std::string(in.get_string());
        return tagged(now ? kv::Tag::replaced : kv::Tag::created);
    }
    if (op == kv::Op::erase) {
        versions[index] = std::nullopt;
        return tagged(now ? kv::Tag::erased : kv::Tag::absent);
    }
    kv::Value expected = kv::get_value(in);
    kv::Value desired = kv::get_value(in);
    if (now != expected) {
        Encoder out;
        out.put(kv::Tag::mismatch);
        kv::put_value(out, now ? kv::Value(*now) : std::nullopt);
        return out.take();
    }
    versions[index] = desired ? std::optional<std::string>(*desired) : std::nullopt;
    return tagged(kv::Tag::swapped);
}

void Witness::check_first(History& history, const AppliedEntry& applied) {
    std::string where = place(applied.group, applied.entry) + " on " + applied.host;
    if (!history.items.empty() && history.items.rbegin()->first >= applied.entry.index) {
        report("an entry was applied late, beside the history: " + where);
    }
    std::string payload(applied.payload);
    std::string expected = model_reply(history, applied.entry.index, payload);
    if (expected != applied.reply) report("the machine's reply is not what it must be: " + where);
    bool may_repeat = static_cast<kv::Op>(payload.front()) == kv::Op::erase;
    if (!may_repeat && !history.where.try_emplace(payload, applied.entry.index).second) {
        report("a command was applied twice: " + where);
    }
    if (history.refused.contains(payload))
        report("a command that was refused was applied: " + where);
    history.items[applied.entry.index] = {applied.entry.term, payload, std::string(applied.reply)};
}

void Witness::applied(const AppliedEntry& applied) {
    History& history = histories_[applied.group];
    Index& last = last_applied_[applied.life];
    if (applied.entry.index <= last) {
        report("applied again or backwards: " + place(applied.group, applied.entry) + " on " +
               applied.host);
    }
    last = applied.entry.index;
    ++reach.applied;
    auto found = history.items.find(applied.entry.index);
    if (found == history.items.end()) return check_first(history, applied);
    const History::Item& item = found->second;
    if (item.term != applied.entry.term || item.payload != applied.payload) {
        report("State Machine Safety: another entry was applied at " +
               place(applied.group, applied.entry) + " on " + applied.host);
    }
    if (item.reply != applied.reply) {
        report("outcomes differ at " + place(applied.group, applied.entry) + " on " + applied.host);
    }
}

Witness::Operation Witness::begin(GroupId group, std::string payload, std::string key) const {
    auto history = histories_.find(group);
    Index floor = history == histories_.end() ? Index{} : history->second.acknowledged;
    return {group, std::move(payload), std::move(key), floor};
}

void Witness::ended(const Operation& operation, const group::Outcome& outcome) {
    History& history = histories_[operation.group];
    if (std::holds_alternative<group::Unknown>(outcome)) {
        ++reach.unknown;
        return;
    }
    if (std::holds_alternative<group::NotApplied>(outcome)) {
        ++reach.refused;
        if (operation.payload.empty()) return;
        if (history.where.contains(operation.payload)) {
            report("a command was applied and then answered as not applied");
        }
        history.refused.insert(operation.payload);
        return;
    }
    const auto& applied = std::get<group::Applied>(outcome);
    ++reach.acknowledged;
    std::string where = place(operation.group, applied.entry);
    auto item = history.items.find(applied.entry.index);
    if (item == history.items.end())
        return report("acknowledged before any member applied it: " + where);
    if (item->second.term != applied.entry.term)
        report("acknowledged under another term: " + where);
    if (!operation.payload.empty() && item->second.payload != operation.payload) {
        report("acknowledged by another command's entry: " + where);
    }
    if (item->second.reply != applied.reply.text()) report("the wrong reply was given: " + where);
    if (applied.entry.index <= operation.floor) {
        report("Linearizability: applied before what was acknowledged before it began: " + where);
    }
    history.acknowledged = std::max(history.acknowledged, applied.entry.index);
}

std::optional<std::string> Witness::value_at(const History& history, const std::string& key,
                                             Index index) const {
    auto versions = history.keys.find(key);
    if (versions == history.keys.end()) return std::nullopt;
    auto after = versions->second.upper_bound(index);
    if (after == versions->second.begin()) return std::nullopt;
    return std::prev(after)->second;
}

void Witness::ended(const Operation& operation, const group::QueryAnswer& answer,
                    group::ReadLevel level) {
    History& history = histories_[operation.group];
    ++reach.reads;
    std::string where = place(operation.group, answer.at) + " key " + operation.key;
    kv::Value found = kv::parse_get(answer.reply.text());
    std::optional<std::string> value = found ? std::optional<std::string>(*found) : std::nullopt;
    if (value != value_at(history, operation.key, answer.at.index)) {
        report("a read does not show the state of its index: " + where);
    }
    if (level != group::ReadLevel::linearizable) return;
    if (answer.at.index < operation.floor) report("Linearizability: a stale read: " + where);
    history.acknowledged = std::max(history.acknowledged, answer.at.index);
}

void Witness::Reach::add(const Reach& other) {
    terms += other.terms;
    applied += other.applied;
    acknowledged += other.acknowledged;
    refused += other.refused;
    unknown += other.unknown;
    reads += other.reads;
    snapshots_loaded += other.snapshots_loaded;
    overwritten += other.overwritten;
    memberships += other.memberships;
    outcomes_compared += other.outcomes_compared;
    fell_asleep += other.fell_asleep;
    woken += other.woken;
    silent_nights += other.silent_nights;
    leaders_missed += other.leaders_missed;
}

void Witness::saw(const group::MemberStatus& status) {
    if (status.state != group::MemberState::running) return;
    auto [known, first] =
        histories_[status.group].outcomes.try_emplace(status.applied, status.outcome_hash);
    if (!first && known->second != status.outcome_hash) {
        report("outcome hashes differ at index " + std::to_string(status.applied.value()) + " on " +
               status.host);
    }
    reach.outcomes_compared += first ? 0 : 1;
}

void Witness::finish(GroupId group, Index applied_everywhere) {
    const History& history = histories_[group];
    if (history.acknowledged > applied_everywhere) {
        report("acknowledged commands are lost: up to " +
               std::to_string(history.acknowledged.value()) + ", but the members hold only " +
               std::to_string(applied_everywhere.value()));
    }
}

}  // namespace quorate::sim
