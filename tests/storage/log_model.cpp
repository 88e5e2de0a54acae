#include "tests/storage/log_model.hpp"

#include <algorithm>

namespace quorate::storage {

LogModel::LogModel(SteppedUnderTest& host, std::uint64_t seed, std::uint64_t groups)
    : host_(host), random_(seed) {
    for (std::uint64_t id = 1; id <= groups; ++id) lives_[GroupId(id)] = std::make_unique<Life>();
}

void LogModel::act() {
    auto& [id, life] = *std::next(lives_.begin(), static_cast<std::ptrdiff_t>(roll(lives_.size())));
    if (!life->created) {
        life->created = true;
        host_.store().create(id, Bytes::take("registration " + std::to_string(id.value())),
                             host_.executor, [life = life.get()](Result<void> result) {
                                 life->create_reported = result.has_value();
                             });
        host_.store().attach(id, host_.executor, life->client);
    }
    LogState state = life->states.back();
    if (roll(12) == 0 && state.last > state.base) {
        life->released = std::max(life->released, state.base + 1 + roll(state.last - state.base));
        auto at = state.entries.find(life->released);
        std::uint64_t term = at == state.entries.end() ? 1 : std::stoull(at->second);
        host_.store().release(id, {Term(term), Index(life->released)});
        return;
    }
    raft::Store store = random_store(state);
    store.ticket = Ticket(life->states.size());
    life->states.push_back(std::move(state));
    host_.store().write(id, std::move(store));
    ++stores_;
}

raft::Store LogModel::random_store(LogState& state) {
    raft::Store store;
    if (roll(4) == 0) {
        state.hard = {Term(state.hard.term.value() + 1), MemberId(roll(3))};
        store.hard = state.hard;
    }
    if (roll(60) == 0) {
        state.base = state.last = state.last + 1 + roll(20);
        state.entries.clear();
        store.reset = EntryId{Term(state.hard.term.value() + 1), Index(state.base)};
    }
    // What was released is committed: it is never truncated.
    std::uint64_t lowest = state.base + 1;
    for (const auto& [id, life] : lives_) {
        if (!life->states.empty() && life->states.back().last == state.last) {
            lowest = std::max(lowest, life->released + 1);
        }
    }
    if (roll(8) == 0 && state.last >= lowest) {
        std::uint64_t from = lowest + roll(state.last - lowest + 1);
        store.truncate_from = Index(from);
        state.last = from - 1;
        state.entries.erase(state.entries.lower_bound(from), state.entries.end());
    }
    for (std::uint64_t n = roll(4); n > 0; --n) {
        std::uint64_t index = ++state.last;
        std::uint64_t term = state.hard.term.value() + 1;
        std::string payload = "p" + std::to_string(++payload_);
        payload.resize(payload.size() + roll(200), '.');
        state.entries[index] = std::to_string(term) + ":" + payload;
        auto kind = roll(20) == 0 ? raft::EntryKind::membership : raft::EntryKind::command;
        store.entries.push_back(entry(index, term, payload, kind));
    }
    return store;
}

void LogModel::check_recovered(const std::vector<RecoveredLog>& logs) {
    for (auto& [id, life] : lives_) {
        const RecoveredLog* found = find(logs, id);
        if (found == nullptr) {
            EXPECT_FALSE(life->create_reported) << "group " << id.value() << " is lost";
            life = std::make_unique<Life>();
            continue;
        }
        EXPECT_EQ(found->registration.text(), "registration " + std::to_string(id.value()));
        check(id, *life, *found);
    }
}

void LogModel::check(GroupId id, Life& life, const RecoveredLog& found) {
    EXPECT_FALSE(found.damage) << found.damage->what;
    EXPECT_LE(found.base.index.value(), std::max(life.released, life.states.back().base));
    std::size_t reported = life.client.last.value();
    for (std::size_t i = reported; i < life.states.size(); ++i) {
        if (!matches(id, life.states[i], found)) continue;
        LogState state = life.states[i];
        life.states = {std::move(state)};
        life.client = {};
        life.create_reported = true;
        return;
    }
    ADD_FAILURE() << "group " << id.value() << ": (" << found.base.index.value() << ", "
                  << found.last.value() << "] is no state since store " << reported << " of "
                  << life.states.size() - 1 << ", which ended at " << life.states[reported].last;
}

bool LogModel::matches(GroupId id, const LogState& state, const RecoveredLog& found) {
    if (found.last.value() != state.last || found.hard != state.hard) return false;
    std::uint64_t from = found.base.index.value() + 1;
    if (from <= state.base) return false;
    if (from > state.last) return true;
    std::vector<raft::Entry> entries;
    host_.store().read(id, Index(from), Index(state.last), ~std::uint64_t{0}, host_.executor,
                       [&](auto result) { entries = result.value(); });
    host_.drive_all();
    if (entries.size() != state.last - state.base - (from - state.base - 1)) return false;
    std::size_t memberships = 0;
    for (const raft::Entry& e : entries) {
        auto expected = state.entries.find(e.id.index.value());
        if (expected == state.entries.end()) return false;
        std::string text = std::to_string(e.id.term.value()) + ":" + std::string(e.payload.text());
        if (text != expected->second) return false;
        if (e.kind == raft::EntryKind::membership) ++memberships;
    }
    EXPECT_EQ(found.memberships.size(), memberships);
    auto run = found.runs.begin();
    for (const raft::Entry& e : entries) {
        while (run + 1 != found.runs.end() && (run + 1)->first <= e.id.index) ++run;
        EXPECT_EQ(run->term, e.id.term);
    }
    return true;
}

void LogModel::attach_all() {
    for (auto& [id, life] : lives_) {
        if (!life->create_reported) continue;
        life->created = true;
        host_.store().attach(id, host_.executor, life->client);
    }
}

}  // namespace quorate::storage
