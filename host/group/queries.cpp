#include "host/group/queries.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorate::group {

void Queries::add(Query query, Reply<QueryAnswer> done) {
    QueryId id = ++last_id_;
    bytes_ += query.bytes.size();
    rate_.look(scheduler_.now());
    Deadlines::Key deadline = deadlines_.add(query.deadline, [this, id] { expire(id); });
    // Never behind what this member has answered before: a machine that is being rebuilt is.
    Index fence = std::max(query.at_least, member_.highest_applied());
    pending_.emplace(id, Pending{query.level,
                                 fence,
                                 std::move(query.bytes),
                                 deadline,
                                 std::move(done),
                                 "an entry to be applied",
                                 {}});
    if (query.level != ReadLevel::linearizable) return wait_or_answer(id);
    ask_again({id});
}

void Queries::ask_again(std::vector<QueryId> queries) {
    if (queries.empty()) return;
    for (QueryId id : queries) {
        if (auto found = pending_.find(id); found != pending_.end()) {
            found->second.waits_for = "a leader to confirm the read";
        }
    }
    unasked_.insert(unasked_.end(), queries.begin(), queries.end());
    member_.wake();
}

std::optional<raft::Read> Queries::take_read() {
    std::vector<QueryId> queries = std::exchange(unasked_, {});
    std::erase_if(queries, [this](QueryId id) { return !pending_.contains(id); });
    if (queries.empty()) return std::nullopt;
    ReadId read(++last_read_);
    Deadlines::Key lost = deadlines_.add(scheduler_.now() + lost_after_, [this, read] {
        auto asked = asked_.extract(read);
        if (!asked.empty()) ask_again(std::move(asked.mapped().queries));
    });
    asked_.emplace(read, Asked{std::move(queries), lost});
    return raft::Read{read};
}

void Queries::on(const raft::ReadReady& ready) {
    auto asked = asked_.extract(ready.id);
    if (asked.empty()) return;
    deadlines_.remove(asked.mapped().lost);
    for (QueryId id : asked.mapped().queries) {
        auto found = pending_.find(id);
        if (found == pending_.end()) continue;
        found->second.fence = std::max(found->second.fence, ready.index);
        found->second.waits_for = "an entry to be applied";
        wait_or_answer(id);
    }
}

void Queries::on(const raft::ReadFailed& failed) {
    auto asked = asked_.extract(failed.id);
    if (asked.empty()) return;
    deadlines_.remove(asked.mapped().lost);
    bool first = parked_.empty();
    for (QueryId id : asked.mapped().queries) {
        if (auto found = pending_.find(id); found != pending_.end()) {
            found->second.waits_for = "a leader to be elected";
            parked_.push_back(id);
        }
    }
    if (first && !parked_.empty()) {
        deadlines_.add(scheduler_.now() + retry_after_, [this] { leader_found(); });
    }
}

void Queries::leader_found() {
    ask_again(std::exchange(parked_, {}));
}

void Queries::applied() {
    if (!member_.machine().has_value()) return;  // being rebuilt: they wait
    Index now = member_.applied().index;
    while (!fenced_.empty() && fenced_.begin()->first <= now) {
        answer(fenced_.begin()->second);
    }
}

void Queries::machine_lost() {
    while (!fenced_.empty()) answer(fenced_.begin()->second);
}

void Queries::wait_or_answer(QueryId id) {
    Pending& query = pending_.at(id);
    // Without a machine there is nothing to wait for, unless it is being loaded.
    bool hopeless = !member_.machine().has_value() && !member_.machine_is_coming();
    if (hopeless || (member_.machine().has_value() && member_.applied().index >= query.fence)) {
        return answer(id);
    }
    query.fenced = fenced_.emplace(query.fence, id);
}

void Queries::answer(QueryId id) {
    auto found = pending_.find(id);
    if (found != pending_.end()) finish(id, ask_machine(found->second));
}

Result<QueryAnswer> Queries::ask_machine(const Pending& query) const {
    if (query.level == ReadLevel::leader && !member_.leads()) {
        return fail(Errc::not_leader, "this member does not lead the group");
    }
    if (replies_.full()) {
        return fail_overloaded("too many answers of this member wait to be read",
                               DrainRate::retry_ms_unknown);
    }
    TRY(const machine::Machine* machine, member_.machine());
    TRY(Bytes reply, machine->query(query.bytes.view()));
    return QueryAnswer{member_.applied(), replies_.count(std::move(reply)), member_.leader_host()};
}

void Queries::finish(QueryId id, Result<QueryAnswer> result) {
    auto done = pending_.extract(id);
    bytes_ -= done.mapped().bytes.size();
    rate_.drained(1);
    deadlines_.remove(done.mapped().deadline);
    if (done.mapped().fenced) fenced_.erase(*done.mapped().fenced);
    ++answered_;
    done.mapped().done(std::move(result));
}

void Queries::expire(QueryId id) {
    auto late = pending_.extract(id);
    if (late.empty()) return;
    bytes_ -= late.mapped().bytes.size();
    std::string waited_for = late.mapped().waits_for;
    if (late.mapped().fenced) {
        fenced_.erase(*late.mapped().fenced);
        waited_for = "entry " + std::to_string(late.mapped().fence.value()) +
                     " to be applied (this member is at " +
                     std::to_string(member_.applied().index.value()) + ")";
    }
    late.mapped().done(fail(Errc::deadline_exceeded,
                            "the query waited for " + waited_for + " until its deadline"));
}

void Queries::fail_all(const Error& why) {
    for (auto& [read, asked] : asked_) deadlines_.remove(asked.lost);
    asked_.clear();
    unasked_.clear();
    parked_.clear();
    fenced_.clear();
    bytes_ = 0;
    for (auto& [id, query] : std::exchange(pending_, {})) {
        deadlines_.remove(query.deadline);
        query.done(why);
    }
}

}  // namespace quorate::group
