#include "host/group/applier.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "host/group/command.hpp"
#include "host/group/host_entry.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

// How often it looks whether replies were taken, while there are too many.
constexpr Duration readers_looked_for_every = 1ms;

Index index_of(const machine::Command& command) {
    return command.id.index;
}

}  // namespace

// ---- entries ------------------------------------------------------------------------------------

void Applier::commit_to(Index index) {
    commit_ = std::max(commit_, index);
    if (stands_still()) return look_for_end();
    if (!scheduled_) run();
}

void Applier::schedule() {
    if (scheduled_ || state_ != State::running || applied_.index >= commit_) return;
    scheduled_ = true;
    env_.scheduler.post([this] {
        scheduled_ = false;
        run();
    });
}

// More replies than there is room for would be made while those that are there wait to be read: they
// leave first. Who never reads his is hung up on (rpc/gateway), and a command's caller has its deadline.
void Applier::wait_for_readers() {
    if (scheduled_) return;
    scheduled_ = true;
    env_.scheduler.at(env_.scheduler.now() + readers_looked_for_every, [this] {
        scheduled_ = false;
        run();
    });
}

// About one batch; the rest is posted, so that the shard's other groups get their turn.
void Applier::run() {
    std::uint64_t budget = pace_;
    if (state_ == State::running && env_.replies.full()) return wait_for_readers();
    while (budget > 0 && state_ == State::running && !reading_ && applied_.index < commit_) {
        Index from = applied_.index.next();
        // What lies before a fault that was met is applied one by one.
        std::uint64_t count = from <= last_fault_ ? 1 : budget;
        Index to = std::min(commit_, from + (count - 1));
        // There the outcome hash is compared.
        if (from <= reached_.index) to = std::min(to, reached_.index);
        entries_.clear();
        for (Index i = from; i <= to; i = i.next()) {
            const raft::Entry* entry = find(i);
            if (entry == nullptr) break;
            entries_.push_back(entry);
        }
        if (entries_.empty()) return read_entries(from);
        budget -= entries_.size();
        apply_batch();
        adapt_pace();
    }
    schedule();
}

// Small commands may have replies of megabytes: a turn that made too much of them is followed by shorter
// ones, so that replies leave before more are made, and the shard is not held up.
void Applier::adapt_pace() {
    bool too_much = outcome_.reply_bytes() > limits_.reply_bytes;
    pace_ = too_much ? std::max<std::uint64_t>(pace_ / 4, 1)
                     : std::min<std::uint64_t>(pace_ * 2, limits_.batch_entries);
}

const raft::Entry* Applier::find(Index index) const {
    if (env_.cache.holds(index)) return &env_.cache.at(index);
    if (read_.empty() || index < read_.front().id.index || index > read_.back().id.index) {
        return nullptr;
    }
    return &read_[index - read_.front().id.index];
}

void Applier::read_entries(Index from) {
    reading_ = true;
    read_.clear();
    auto done = [this, from](Result<std::vector<raft::Entry>> read) {
        reading_ = false;
        read_done(from, std::move(read));
    };
    Index to = env_.cache.first() > from ? std::min(commit_, env_.cache.first().prev()) : commit_;
    env_.log.read(env_.source.group, from, to, limits_.read_bytes, env_.scheduler.shard(),
                  env_.scheduler.guard(storage::LogStore::ReadDone(std::move(done))));
}

// Meanwhile a snapshot may have been installed, or applying come to a standstill, or out of one.
void Applier::read_done(Index from, Result<std::vector<raft::Entry>> read) {
    bool applies = state_ == State::running && applied_.index.next() == from;
    if (read.has_value()) {
        read_ = std::move(*read);
        CHECK(!read_.empty() && read_.front().id.index == from, "a read of other entries");
    } else if (applies) {
        return stop_at(from, within("reading the log", read.error()));
    } else if (stands_still()) {
        looking_failed_ = true;
        log::warning("log_not_read", to_string(read.error()),
                     {{"group", env_.source.name}, {"index", from.value()}});
        return;
    }
    if (!stands_still()) return schedule();
    env_.scheduler.post([this] {
        if (stands_still()) look_for_end();
    });
}

// The group may be deleted though its machine stands still: the end needs no machine.
void Applier::look_for_end() {
    looked_ = std::max({looked_, applied_.index, base_.index});
    while (looked_ < commit_ && !reading_ && !looking_failed_) {
        const raft::Entry* entry = find(looked_.next());
        if (entry == nullptr) return read_entries(looked_.next());
        looked_ = entry->id.index;
        bool ends = entry->kind == raft::EntryKind::host &&
                    parse_host_entry(entry->payload.view()) == HostEntry::end_of_life;
        if (!ends) continue;
        state_ = State::ended;
        return env_.listener.end_of_life(entry->id);
    }
}

// Takes the entry into the batch. False if it ends the batch: the one after it waits.
bool Applier::collect(const raft::Entry& entry) {
    if (entry.kind == raft::EntryKind::host) {
        // It must not be skipped: other members act on it.
        if (!parse_host_entry(entry.payload.view())) {
            malformed_ = fail(Errc::format_unknown, "a host entry of a kind that this build lacks");
        }
        return false;
    }
    if (entry.kind != raft::EntryKind::command) return true;
    std::optional<ParsedCommand> parsed = parse_command(entry.payload.view());
    if (!parsed) {
        malformed_ = fail(Errc::corrupt, "entry " + std::to_string(entry.id.index.value()) +
                                             " does not hold a command of a known version");
        return false;
    }
    std::int64_t before = commands_.empty() ? time_ms_ : commands_.back().time_ms;
    machine::Command command;
    command.id = entry.id;
    command.time_ms = std::max(before, parsed->header.time_ms);
    command.payload = parsed->command;
    commands_.push_back(command);
    return true;
}

// How many of entries_ make the batch: all, or up to a host entry, or up to a malformed one.
std::size_t Applier::collect_batch() {
    commands_.clear();
    malformed_.reset();
    std::size_t taken = 0;
    for (const raft::Entry* entry : entries_) {
        bool goes_on = collect(*entry);
        if (malformed_) break;
        ++taken;
        if (!goes_on) break;
    }
    return taken;
}

std::optional<machine::Machine::Fault> Applier::call_machine() {
    outcome_.begin(commands_);
    if (commands_.empty()) return std::nullopt;
    for (std::size_t i = 0; i < commands_.size(); ++i) {
        if (env_.listener.wants_reply(commands_[i].id)) outcome_.want(i);
    }
    auto result = machine_->apply(commands_, outcome_);
    if (result.has_value()) return std::nullopt;
    machine::Machine::Fault fault = result.error();
    // A fault that names no entry of the batch is taken to be the first one's.
    if (std::ranges::find(commands_, fault.index, index_of) == commands_.end()) {
        fault.index = commands_.front().id.index;
    }
    return fault;
}

void Applier::apply_batch() {
    std::size_t taken = collect_batch();
    std::optional<machine::Machine::Fault> fault = call_machine();
    std::size_t done = commands_.size();
    if (fault) {
        auto at = std::ranges::find(commands_, fault->index, index_of);
        done = static_cast<std::size_t>(at - commands_.begin());
        while (taken > 0 && entries_[taken - 1]->id.index >= fault->index) --taken;
    }
    outcome_.end(done);
    account(taken, done);
    bool ends = taken > 0 && entries_[taken - 1]->kind == raft::EntryKind::host;
    std::optional<Error> difference = find_difference();
    // Whoever is told below must not see a machine that stopped half-way through an entry, or that is
    // in another state than others are.
    if (fault || difference) state_ = State::loading;
    tell(taken);
    if (state_ == State::ended) return;  // stopped by one who was told
    if (difference) {
        build_failed();
        return stop_at(applied_.index, std::move(*difference));
    }
    if (fault) return faulted(*fault);
    if (malformed_) return stop_at(applied_.index.next(), std::move(*malformed_));
    if (!ends) return;
    state_ = State::ended;
    env_.listener.end_of_life(applied_);
}

void Applier::account(std::size_t entries, std::size_t commands) {
    if (entries > 0) applied_ = entries_[entries - 1]->id;
    if (commands > 0) time_ms_ = commands_[commands - 1].time_ms;
    commands_count_ += commands;
    highest_ = std::max(highest_, applied_.index);
    settle_build();
}

// The state is as the last of these entries left it before anybody hears of the first: whoever is
// told may ask at once.
void Applier::tell(std::size_t entries) {
    std::size_t command = 0;
    for (std::size_t i = 0; i < entries; ++i) {
        const raft::Entry& entry = *entries_[i];
        Bytes reply;
        if (entry.kind == raft::EntryKind::command) reply = outcome_.take_reply(command++);
        env_.listener.entry_applied(entry.id, reply);
    }
    env_.listener.state_moved();
}

}  // namespace quorate::group
