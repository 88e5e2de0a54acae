#include "storage/memory_store.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"

#include <algorithm>
#include <utility>

namespace quorate::storage {
namespace {

std::string group_name(GroupId group) {
    return "group " + std::to_string(group.value());
}

}  // namespace

struct MemoryStore::Log {
    Bytes registration;
    raft::HardState hard;
    EntryId base;
    std::deque<raft::Entry> entries;  // from base.index + 1 on
    std::optional<RecoveredLog::Damage> damage;
    bool refused = false;  // a store did not continue the log

    Index last() const { return base.index + entries.size(); }
    bool accepts(const raft::Store& store) const;
    void write(const raft::Store& store);
    void release(Index up_to);
    RecoveredLog recovered(GroupId group) const;
};

struct MemoryStore::Attachment {
    Executor* executor;
    LogClient* client;  // null once detached; touched on the executor's thread only
};

struct MemoryStore::State {
    struct Pending {
        Change change;
        Report report;
    };
    Logs live;     // as reads see it
    Logs durable;  // as the next recovery finds it
    std::deque<Pending> pending;
    bool holding = false;
    Space space = Space::plenty;
    std::map<GroupId, std::shared_ptr<Attachment>> attachments;
    bool recovered = false;  // since the last crash
};

bool MemoryStore::Log::accepts(const raft::Store& store) const {
    Index first = store.reset ? store.reset->index : base.index;
    Index end = store.reset ? store.reset->index : last();
    if (store.truncate_from) {
        if (*store.truncate_from <= first) return false;
        end = std::min(end, store.truncate_from->prev());
    }
    for (const raft::Entry& entry : store.entries) {
        if (entry.id.index != end.next()) return false;
        end = entry.id.index;
    }
    return true;
}

void MemoryStore::Log::write(const raft::Store& store) {
    if (store.hard) hard = *store.hard;
    if (store.reset) {
        base = *store.reset;
        entries.clear();
    }
    if (store.truncate_from && *store.truncate_from <= last()) {
        entries.resize(*store.truncate_from - base.index.next());
    }
    entries.insert(entries.end(), store.entries.begin(), store.entries.end());
}

void MemoryStore::Log::release(Index up_to) {
    while (!entries.empty() && entries.front().id.index <= up_to) {
        base = entries.front().id;
        entries.pop_front();
    }
}

RecoveredLog MemoryStore::Log::recovered(GroupId group) const {
    RecoveredLog found{.group = group,
                       .registration = registration,
                       .hard = hard,
                       .base = base,
                       .last = last(),
                       .damage = damage};
    for (const raft::Entry& entry : entries) {
        raft::extend(found.runs, entry.id);
        if (entry.kind == raft::EntryKind::membership) found.memberships.push_back(entry);
    }
    return found;
}

MemoryStore::MemoryStore() : state_(std::make_unique<Guarded<State>>()) {}
MemoryStore::~MemoryStore() = default;

std::vector<MemoryStore::Report> MemoryStore::settle(State& state, std::size_t count) {
    std::vector<Report> reports;
    for (; count > 0 && !state.pending.empty(); --count) {
        State::Pending& oldest = state.pending.front();
        oldest.change(state.durable);
        if (oldest.report) reports.push_back(std::move(oldest.report));
        state.pending.pop_front();
    }
    return reports;
}

void MemoryStore::perform(Change change, Report report) {
    auto reports = state_->with([&](State& state) {
        change(state.live);
        state.pending.push_back({std::move(change), std::move(report)});
        return settle(state, state.holding ? 0 : all);
    });
    for (const Report& durable : reports) durable();
}

std::vector<RecoveredLog> MemoryStore::take_recovered() {
    return state_->with([](State& state) {
        std::vector<RecoveredLog> found;
        if (std::exchange(state.recovered, true)) return found;
        for (const auto& [group, log] : state.durable) found.push_back(log.recovered(group));
        return found;
    });
}

void MemoryStore::create(GroupId group, Bytes registration, Executor& on,
                         std::function<void(Result<void>)> done) {
    bool is_there = state_->with([&](State& state) { return state.live.contains(group); });
    Result<void> result;
    if (is_there) result = fail(Errc::group_exists, group_name(group) + " is in the log already");
    perform(
        [=](Logs& logs) {
            if (!is_there) logs[group].registration = registration;
        },
        [&on, done = std::move(done), result] { on.post([done, result] { done(result); }); });
}

void MemoryStore::update_registration(GroupId group, Bytes registration, Executor& on,
                                      std::function<void(Result<void>)> done) {
    bool is_there = state_->with([&](State& state) { return state.live.contains(group); });
    Result<void> result;
    if (!is_there) result = fail(Errc::no_such_group, group_name(group) + " is not in the log");
    perform(
        [=](Logs& logs) {
            if (is_there) logs[group].registration = registration;
        },
        [&on, done = std::move(done), result] { on.post([done, result] { done(result); }); });
}

void MemoryStore::erase(GroupId group, Executor& on, std::function<void(Result<void>)> done) {
    perform([group](Logs& logs) { logs.erase(group); },
            [&on, done = std::move(done)] { on.post([done] { done({}); }); });
}

void MemoryStore::attach(GroupId group, Executor& on, LogClient& client) {
    auto attachment = std::make_shared<Attachment>(Attachment{&on, &client});
    auto before = state_->with(
        [&](State& state) { return std::exchange(state.attachments[group], attachment); });
    if (before) before->client = nullptr;
}

void MemoryStore::detach(GroupId group) {
    auto node = state_->with([&](State& state) { return state.attachments.extract(group); });
    if (!node.empty()) node.mapped()->client = nullptr;
}

void MemoryStore::report_stored(GroupId group, Ticket ticket) {
    auto attachment = state_->with([&](State& state) {
        auto found = state.attachments.find(group);
        return found == state.attachments.end() ? nullptr : found->second;
    });
    if (!attachment) return;
    attachment->executor->post([attachment, ticket] {
        if (attachment->client != nullptr) attachment->client->stored(ticket);
    });
}

void MemoryStore::write(GroupId group, raft::Store store) {
    enum class Verdict : std::uint8_t { taken, refused, refused_before };
    auto verdict = state_->with([&](State& state) {
        auto found = state.live.find(group);
        if (found == state.live.end()) return Verdict::refused;
        if (found->second.refused) return Verdict::refused_before;
        if (found->second.accepts(store)) return Verdict::taken;
        found->second.refused = true;
        return Verdict::refused;
    });
    if (verdict == Verdict::refused) {
        log::error("log_write_refused",
                   group_name(group) + " is not in the log, or the store does not continue it");
    }
    if (verdict != Verdict::taken) return;
    Ticket ticket = store.ticket;
    perform([group, store = std::move(store)](Logs& logs) { logs[group].write(store); },
            [this, group, ticket] { report_stored(group, ticket); });
}

void MemoryStore::read(GroupId group, Index from, Index to, std::uint64_t max_bytes, Executor& on,
                       ReadDone done) {
    auto found = state_->with([&](State& state) -> Result<std::vector<raft::Entry>> {
        auto at = state.live.find(group);
        if (at == state.live.end()) {
            return fail(Errc::no_such_group, group_name(group) + " is not in the log");
        }
        const Log& log = at->second;
        if (from <= log.base.index) {
            return fail(Errc::compacted, group_name(group) + ": entries up to " +
                                             std::to_string(log.base.index.value()) +
                                             " are released; " + std::to_string(from.value()) +
                                             " was asked for");
        }
        if (from > log.last() || to < from) {
            return fail(Errc::not_found, group_name(group) + ": the log ends at entry " +
                                             std::to_string(log.last().value()) + "; " +
                                             std::to_string(from.value()) + " was asked for");
        }
        std::vector<raft::Entry> entries;
        std::uint64_t bytes = 0;
        for (Index index = from; index <= std::min(to, log.last()); index = index.next()) {
            const raft::Entry& entry = log.entries[index - log.base.index.next()];
            bytes += entry.payload.size();
            if (!entries.empty() && bytes > max_bytes) break;
            entries.push_back(entry);
        }
        return entries;
    });
    on.post([done = std::move(done), found = std::move(found)] { done(found); });
}

void MemoryStore::recover(GroupId group, Executor& on, RecoverDone done) {
    auto find = [this, group]() -> Result<RecoveredLog> {
        return state_->with([group](State& state) -> Result<RecoveredLog> {
            auto found = state.durable.find(group);
            if (found != state.durable.end()) return found->second.recovered(group);
            return fail(Errc::no_such_group, group_name(group) + " is not in the log");
        });
    };
    perform(
        [](Logs&) {},
        [find, &on, done = std::move(done)] { on.post([found = find(), done] { done(found); }); });
}

void MemoryStore::release(GroupId group, EntryId up_to) {
    perform(
        [group, up_to](Logs& logs) {
            auto found = logs.find(group);
            if (found != logs.end()) found->second.release(up_to.index);
        },
        {});
}

void MemoryStore::repaired(GroupId group) {
    perform(
        [group](Logs& logs) {
            auto found = logs.find(group);
            if (found != logs.end()) found->second.damage.reset();
        },
        {});
}

Space MemoryStore::space() const {
    return state_->with([](State& state) { return state.space; });
}

void MemoryStore::hold() {
    state_->with([](State& state) { state.holding = true; });
}

void MemoryStore::flush(std::size_t count) {
    auto reports = state_->with([&](State& state) { return settle(state, count); });
    for (const Report& durable : reports) durable();
}

void MemoryStore::resume() {
    state_->with([](State& state) { state.holding = false; });
    flush();
}

std::size_t MemoryStore::held() const {
    return state_->with([](State& state) { return state.pending.size(); });
}

void MemoryStore::crash() {
    state_->with([](State& state) {
        state.pending.clear();
        for (auto& [group, attachment] : state.attachments) attachment->client = nullptr;
        state.attachments.clear();
        state.live = state.durable;
        state.holding = false;
        state.recovered = false;
    });
}

void MemoryStore::set_damage(GroupId group, RecoveredLog::Damage damage) {
    state_->with([&](State& state) {
        for (Logs* logs : {&state.live, &state.durable}) {
            auto found = logs->find(group);
            CHECK(found != logs->end());
            found->second.damage = damage;
        }
    });
}

void MemoryStore::set_space(Space space) {
    state_->with([&](State& state) { state.space = space; });
}

}  // namespace quorate::storage
