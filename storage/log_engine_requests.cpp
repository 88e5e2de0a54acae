#include "host/base/log.hpp"
#include "storage/log_engine.hpp"

#include <algorithm>

namespace quorate::storage {
namespace {

constexpr int read_attempts = 3;

std::string name_of(GroupId id) {
    return "group " + std::to_string(id.value());
}

}  // namespace

void LogEngine::done_when_durable(Executor* on, request::Done done, Result<void> result) {
    if (failed_ || on == nullptr || !done) return;
    reports_.call(*on, [done = std::move(done), result = std::move(result)] { done(result); });
}

void LogEngine::on(request::Create&& create) {
    auto [at, fresh] = groups_.try_emplace(create.group);
    Result<void> result;
    if (fresh) {
        append_twice(create.group, at->second, {.kind = RecordKind::create}, create.registration);
    } else {
        result = fail(Errc::group_exists, name_of(create.group) + " is in the log already");
    }
    done_when_durable(create.on, std::move(create.done), std::move(result));
}

void LogEngine::on(request::Update&& update) {
    auto group = groups_.find(update.group);
    Result<void> result;
    if (group != groups_.end()) {
        append_twice(update.group, group->second, {.kind = RecordKind::registration},
                     update.registration);
    } else {
        result = fail(Errc::no_such_group, name_of(update.group) + " is not in the log");
    }
    done_when_durable(update.on, std::move(update.done), std::move(result));
}

void LogEngine::on(request::Erase&& erase) {
    auto group = groups_.find(erase.group);
    if (group != groups_.end()) {
        append_twice(erase.group, group->second, {.kind = RecordKind::erase});
        groups_.erase(group);
    }
    done_when_durable(erase.on, std::move(erase.done), {});
}

void LogEngine::on(request::Attach&& attach) {
    auto group = groups_.find(attach.group);
    if (group != groups_.end()) group->second.attachment = std::move(attach.attachment);
}

void LogEngine::on(request::Detach&& detach) {
    auto group = groups_.find(detach.group);
    if (group == groups_.end() || group->second.attachment != detach.attachment) return;
    group->second.attachment.reset();
}

void LogEngine::on(request::Write&& write) {
    auto found = groups_.find(write.group);
    if (found == groups_.end()) {
        log::error("log_write_refused", name_of(write.group) + " is not in the log");
        return;
    }
    Group& group = found->second;
    if (group.refused) return;
    if (!accepts(group, write.store)) {
        // Never acknowledged, so nothing wrong can follow from it; the member is stuck, loudly.
        group.refused = true;
        log::error("log_write_refused",
                   name_of(write.group) + " does not continue its log, which ends at entry " +
                       std::to_string(group.last.value()) + ": no store of it is taken any more");
        return;
    }
    write_store(write.group, group, write.store);
    if (!failed_) reports_.stored(group.attachment, write.store.ticket);
}

bool LogEngine::accepts(const Group& group, const raft::Store& store) const {
    Index base = store.reset ? store.reset->index : group.base.index;
    Index last = store.reset ? store.reset->index : group.last;
    if (store.truncate_from) {
        if (*store.truncate_from <= base) return false;
        last = std::min(last, store.truncate_from->prev());
    }
    for (const raft::Entry& entry : store.entries) {
        if (entry.id.index != last.next()) return false;
        last = entry.id.index;
    }
    return true;
}

// The records of a store are one unit: each but the last says that more follows.
void LogEngine::write_store(GroupId id, Group& group, raft::Store& store) {
    bool truncates = store.truncate_from && (store.reset || *store.truncate_from <= group.last);
    bool votes = store.hard && *store.hard != group.hard;
    std::size_t left =
        (votes ? 1U : 0U) + (store.reset ? 1U : 0U) + (truncates ? 1U : 0U) + store.entries.size();
    auto flags = [&left] { return --left > 0 ? unit_goes_on : std::uint8_t{0}; };
    if (votes) {
        append(id, group,
               {.kind = RecordKind::hard_state,
                .flags = flags(),
                .index = Index(store.hard->vote.value()),
                .term = store.hard->term});
        group.hard = *store.hard;
    }
    if (store.reset) {
        append(id, group,
               {.kind = RecordKind::reset,
                .flags = flags(),
                .index = store.reset->index,
                .term = store.reset->term});
        group.recent.clear();
        group.base = *store.reset;
        group.last = store.reset->index;
    }
    if (truncates) {
        append(id, group,
               {.kind = RecordKind::truncate, .flags = flags(), .index = *store.truncate_from});
        group.recent.truncate_from(*store.truncate_from);
        group.last = std::min(group.last, store.truncate_from->prev());
        group.truncated_in = current_.number;
    }
    for (raft::Entry& entry : store.entries) write_entry(id, group, entry, flags());
}

void LogEngine::write_entry(GroupId id, Group& group, raft::Entry& entry, std::uint8_t flags) {
    append(id, group,
           {.kind = RecordKind::entry,
            .detail = static_cast<std::uint8_t>(entry.kind),
            .flags = flags,
            .index = entry.id.index,
            .term = entry.id.term},
           entry.payload);
    group.last = entry.id.index;
}

void LogEngine::on(request::Release&& release) {
    auto found = groups_.find(release.group);
    if (found == groups_.end()) return;
    Group& group = found->second;
    Index up_to = std::min(release.up_to.index, group.last);
    if (up_to <= group.base.index) return;
    append(release.group, group,
           {.kind = RecordKind::release, .index = up_to, .term = release.up_to.term});
    group.base = {release.up_to.term, up_to};
    group.recent.drop_to(up_to);
}

void LogEngine::on(request::Repaired&& repaired) {
    auto group = groups_.find(repaired.group);
    if (group == groups_.end()) return;
    append(repaired.group, group->second, {.kind = RecordKind::repaired});
    group->second.damage.reset();
}

void LogEngine::serve_reads() {
    for (request::Read& read : std::exchange(reads_, {})) serve(std::move(read));
    for (request::Recover& recover : std::exchange(recoveries_, {})) serve(std::move(recover));
}

void LogEngine::serve(request::Read&& read) {
    auto group = groups_.find(read.group);
    std::optional<Error> error;
    if (group == groups_.end()) {
        error = fail(Errc::no_such_group, name_of(read.group) + " is not in the log");
    } else if (read.from <= group->second.base.index) {
        error = fail(Errc::compacted, name_of(read.group) + ": entries up to " +
                                          std::to_string(group->second.base.index.value()) +
                                          " are released; " + std::to_string(read.from.value()) +
                                          " was asked for");
    } else if (read.from > group->second.last || read.to < read.from) {
        error = fail(Errc::not_found, name_of(read.group) + ": the log ends at entry " +
                                          std::to_string(group->second.last.value()) + "; " +
                                          std::to_string(read.from.value()) + " was asked for");
    }
    if (error) {
        read.on->post([done = std::move(read.done), error = std::move(*error)] { done(error); });
        return;
    }
    ReadPlan found = plan(group->second, std::move(read));
    find_aside(found.read, [this, found] { return reader_->run(found); });
}

ReadPlan LogEngine::plan(Group& group, request::Read&& read) {
    ReadPlan plan{.read = std::move(read)};
    Index to = std::min(plan.read.to, group.last);
    Index at = plan.read.from;
    Index first = group.recent.empty() ? group.last.next() : group.recent.first();
    if (at < first) {
        plan.settled_to = std::min(to, first.prev());
        at = first;
    }
    std::uint64_t bytes = 0;
    for (; at <= to; at = at.next()) {
        const Slot& slot = *group.recent.find(at);
        bytes += slot.length;
        if (!plan.pieces.empty() && bytes > plan.read.max_bytes) break;
        plan.pieces.push_back({.index = at, .slot = slot});
    }
    return plan;
}

void LogEngine::serve(request::Recover&& recover) {
    auto found = groups_.find(recover.group);
    if (found == groups_.end()) {
        Error error = fail(Errc::no_such_group, name_of(recover.group) + " is not in the log");
        recover.on->post([done = std::move(recover.done), error] { done(error); });
        return;
    }
    const Group& group = found->second;
    RecoverPlan plan{
        .log = {
            .group = recover.group, .hard = group.hard, .base = group.base, .last = group.last}};
    if (group.damage) plan.log.damage = *group.damage;
    plan.settled_to = group.recent.empty() ? group.last : group.recent.first().prev();
    for (Index at = plan.settled_to.next(); at <= group.last; at = at.next()) {
        const Slot& slot = *group.recent.find(at);
        raft::extend(plan.recent_runs, {slot.term, at});
        if (slot.kind == raft::EntryKind::membership) plan.memberships.push_back({at, slot});
    }
    find_aside(recover, [this, plan = std::move(plan)] { return reader_->run(plan); });
}

template <class Request, class Find>
void LogEngine::find_aside(const Request& request, Find find) {
    environment_.aside.run(Aside::Lane::reading, [this, request, find = std::move(find)] {
        auto found = find();
        if (!found.has_value() && request.attempt < read_attempts) {
            // They may have moved, from the log's files to the settled log: asked again, it knows.
            Request again = request;
            ++again.attempt;
            environment_.post(std::move(again));
            return;
        }
        request.on->post([done = request.done, found = std::move(found)] { done(found); });
    });
}

}  // namespace quorate::storage
