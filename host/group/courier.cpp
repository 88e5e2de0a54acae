#include "host/group/courier.hpp"

#include "host/group/host_shard.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

std::string place(const GroupKey& group, const HostName& host) {
    return "group " + quoted(group.name) + " on host " + quoted(host);
}

// The command was refused for where it went, not for what it is: another member may take it. Pre: it
// was certainly not applied.
bool is_for_another(Errc code) {
    switch (code) {
        case Errc::not_leader:
        case Errc::no_leader:
        case Errc::leadership_lost:
        case Errc::member_stopped:
        case Errc::member_fenced:
        case Errc::member_recovering:
        case Errc::no_such_group:
        case Errc::unreachable:
            return true;
        default:
            return false;
    }
}

// A member that cannot answer queries though its group can.
bool is_unfit(Errc code) {
    return code == Errc::plugin_not_found || code == Errc::plugin_fault ||
           code == Errc::member_recovering || code == Errc::member_fenced;
}

Outcome outcome_of(const GroupKey& group, const HostName& to, Answer answer) {
    std::string where = place(group, to);
    if (!answer.result) {
        Error error = within(where, answer.result.error());
        if (answer.fate == Fate::not_sent) return NotApplied{std::move(error), {}};
        return Unknown{std::move(error)};
    }
    if (auto* outcome = std::get_if<Outcome>(&*answer.result)) return std::move(*outcome);
    return Unknown{fail(Errc::protocol, where + ": answered a submit with another kind of answer")};
}

}  // namespace

void Courier::submit(SharedKey group, Bytes payload, Time deadline,
                     std::function<void(Outcome)> done) {
    Group* member = shard_.members().find_running(group->id);
    if (member != nullptr && member->is_leader() && !stopping_) {
        // The common path: one call. The slow one follows only if leadership was lost just now.
        auto fall_back = [this, group, payload, deadline, done = std::move(done)](Outcome outcome) {
            auto* refused = std::get_if<NotApplied>(&outcome);
            if (refused == nullptr || !is_for_another(refused->error.code)) {
                return done(std::move(outcome));
            }
            Journey journey{group, deadline, refused->leader, refused->error};
            shard_.operations().run(deliver(std::move(journey), payload), done);
        };
        return member->submit(std::move(payload), deadline, std::move(fall_back));
    }
    std::size_t bytes = payload.size();
    if (!admit(bytes)) {
        return done(NotApplied{overloaded(*group, "commands"), {}});
    }
    Journey journey{group, deadline, {}, fail(Errc::no_leader, "no leader is known")};
    shard_.operations().run<Outcome>(deliver(std::move(journey), std::move(payload)),
                                     [this, bytes, done = std::move(done)](Outcome outcome) {
                                         release(bytes);
                                         done(std::move(outcome));
                                     });
}

Operation<Outcome> Courier::deliver(Journey journey, Bytes payload) {
    Backoff backoff(shard_.options().backoff_first, shard_.options().backoff_longest);
    for (;;) {
        Result<HostName> to = co_await next_stop(journey, ReadLevel::leader);
        if (!to) co_return NotApplied{to.error(), {}};
        HostName hint;
        Error why = fail(Errc::no_leader, "no leader is known");
        if (!to->empty()) {
            Outcome outcome = co_await attempt_submit(*to, journey, payload);
            auto* refused = std::get_if<NotApplied>(&outcome);
            if (refused == nullptr || !is_for_another(refused->error.code)) co_return outcome;
            hint = refused->leader;
            why = refused->error;
        }
        bool on = co_await go_on(journey, backoff, *to, hint, why);
        if (!on) co_return NotApplied{gave_up(journey), {}};
    }
}

Operation<Outcome> Courier::attempt_submit(HostName to, Journey& journey, Bytes payload) {
    if (to == shard_.name()) {
        Group* member = shard_.members().find_running(journey.group->id);
        if (member == nullptr) {
            co_return NotApplied{
                fail(Errc::no_such_group, place(*journey.group, to) + ": no member"), {}};
        }
        Later<Outcome> outcome;
        member->submit(std::move(payload), journey.deadline, outcome.callback());
        co_return co_await outcome;
    }
    SubmitRequest request{journey.group->id, std::move(payload)};
    Answer answer = co_await shard_.request(to, std::move(request), journey.deadline);
    co_return outcome_of(*journey.group, to, std::move(answer));
}

void Courier::query(SharedKey group, Query query, Time deadline, Reply<QueryAnswer> done) {
    Group* member = shard_.members().find_running(group->id);
    bool served_here =
        member != nullptr && (query.level != ReadLevel::leader || member->is_leader());
    if (!served_here || stopping_)
        return send_query(group, std::move(query), deadline, std::move(done));
    auto fall_back = [this, group, query, deadline,
                      done = std::move(done)](Result<QueryAnswer> answer) mutable {
        bool elsewhere = !answer && !stopping_ &&
                         (is_for_another(answer.error().code) ||
                          (query.level != ReadLevel::local && is_unfit(answer.error().code)));
        if (!elsewhere) return done(std::move(answer));
        send_query(group, std::move(query), deadline, std::move(done));
    };
    member->query(query.level, query.at_least, query.query, deadline, std::move(fall_back));
}

void Courier::send_query(SharedKey group, Query query, Time deadline, Reply<QueryAnswer> done) {
    std::size_t bytes = query.query.size();
    if (!admit(bytes)) {
        return done(overloaded(*group, "queries"));
    }
    Journey journey{group, deadline, {}, fail(Errc::no_leader, "no leader is known")};
    shard_.operations().run<Result<QueryAnswer>>(
        ask(std::move(journey), std::move(query)),
        [this, bytes, done = std::move(done)](Result<QueryAnswer> answer) {
            release(bytes);
            done(std::move(answer));
        });
}

Operation<Result<QueryAnswer>> Courier::ask(Journey journey, Query query) {
    Backoff backoff(shard_.options().backoff_first, shard_.options().backoff_longest);
    for (;;) {
        Result<HostName> to = co_await next_stop(journey, query.level);
        if (!to) co_return to.error();
        HostName hint;
        Error why = fail(Errc::no_leader, "no leader is known");
        if (!to->empty()) {
            Result<QueryAnswer> answer = co_await attempt_query(*to, journey, query);
            if (answer) co_return answer;
            why = answer.error();
            Group* member = shard_.members().find_running(journey.group->id);
            bool here = *to == shard_.name();
            if (here && member != nullptr && is_unfit(why.code) &&
                query.level != ReadLevel::local) {
                hint = member->leader();
                if (hint.empty() || hint == shard_.name()) co_return answer;
            } else if (!is_for_another(why.code)) {
                co_return answer;
            }
        }
        bool on = co_await go_on(journey, backoff, *to, hint, why);
        if (!on) co_return gave_up(journey);
    }
}

Operation<Result<QueryAnswer>> Courier::attempt_query(HostName to, Journey& journey, Query query) {
    GroupId group = journey.group->id;
    if (to != shard_.name()) {
        QueryRequest request{group, query.level, query.at_least, std::move(query.query)};
        Result<QueryAnswer> answer =
            co_await shard_.ask<QueryAnswer>(to, std::move(request), journey.deadline);
        if (!answer) co_return within("group " + quoted(journey.group->name), answer.error());
        co_return answer;
    }
    Group* member = shard_.members().find_running(group);
    if (member == nullptr) {
        co_return fail(Errc::no_such_group, place(*journey.group, to) + ": no member");
    }
    Later<Result<QueryAnswer>> answer;
    member->query(query.level, query.at_least, std::move(query.query), journey.deadline,
                  answer.callback());
    co_return co_await answer;
}

Operation<Result<HostName>> Courier::next_stop(Journey& journey, ReadLevel level) {
    std::string where = place(*journey.group, shard_.name());
    if (stopping_ || !shard_.serving()) {
        co_return fail(Errc::member_stopped, where + ": the host does not serve now");
    }
    if (std::optional<HostName> known = stop_by_member(journey, level)) co_return *known;
    HostName known = route_to(journey.group->id, level);
    if (!known.empty()) co_return known;
    Result<GroupLocation> found = co_await locate(journey.group, journey.deadline);
    if (found) co_return route_to(journey.group->id, level);
    if (found.error().code == Errc::no_such_group) co_return within(where, found.error());
    journey.last = found.error();
    co_return HostName();
}

std::optional<HostName> Courier::stop_by_member(Journey& journey, ReadLevel level) {
    HostName hint = std::exchange(journey.hint, {});
    if (!hint.empty() && hint != shard_.name()) return hint;
    Group* member = shard_.members().find_running(journey.group->id);
    if (member == nullptr) return std::nullopt;
    if (level != ReadLevel::leader || member->is_leader()) return shard_.name();
    HostName leader = member->leader();
    // It may be the only one that does not know: cut off, or fenced. Then others are asked.
    if (leader.empty() && journey.pauses >= 3) return std::nullopt;
    if (leader == shard_.name()) leader.clear();
    return leader;
}

HostName Courier::leader(GroupId group) const {
    if (Group* member = shard_.members().find_running(group)) return member->leader();
    auto route = routes_.find(group);
    return route == routes_.end() ? HostName() : route->second.leader;
}

HostName Courier::route_to(GroupId group, ReadLevel level) const {
    auto route = routes_.find(group);
    if (route == routes_.end()) return {};
    const Route& known = route->second;
    if (!known.leader.empty() && known.leader != shard_.name()) return known.leader;
    if (level == ReadLevel::leader) return {};
    for (const HostName& host : known.hosts) {
        if (host != shard_.name() && shard_.is_reachable(host)) return host;
    }
    return {};
}

Operation<Result<GroupLocation>> Courier::locate(SharedKey group, Time deadline) {
    Route& route = routes_[group->id];
    if (route.locating) {
        // The one who asks may have more time than we have.
        Later<Result<GroupLocation>> told;
        route.waiting.push_back(shard_.calls().open<GroupLocation>(
            "locate group " + quoted(group->name), deadline, told.callback()));
        co_return co_await told;
    }
    route.locating = true;
    Result<GroupLocation> found = co_await ask_around(group, deadline);
    auto waiting = std::exchange(routes_[group->id].waiting, {});
    routes_[group->id].locating = false;
    if (!found && found.error().code == Errc::no_such_group) routes_.erase(group->id);
    for (auto& tell : waiting) tell(found);
    co_return found;
}

Operation<Result<GroupLocation>> Courier::ask_around(SharedKey group, Time deadline) {
    Result<GroupLocation> found =
        co_await locate_group(shard_, *group, shard_.attempt_until(deadline));
    if (!found) co_return found;
    Route& route = routes_[group->id];
    route.leader = found->leader;
    route.hosts = found->hosts;
    co_return found;
}

Operation<bool> Courier::go_on(Journey& journey, Backoff& backoff, HostName refused_by,
                               HostName hint, Error why) {
    journey.last = std::move(why);
    if (stopping_) co_return false;
    auto route = routes_.find(journey.group->id);
    if (route != routes_.end()) {
        if (route->second.leader == refused_by) route->second.leader.clear();
        // Where no host is left to ask, the group is looked for anew: it may be gone, or elsewhere.
        if (journey.last.code == Errc::no_such_group) std::erase(route->second.hosts, refused_by);
    }
    bool somewhere_new = !hint.empty() && hint != refused_by;
    if (somewhere_new && journey.redirects < shard_.options().redirects_in_a_row) {
        ++journey.redirects;
        if (route != routes_.end()) route->second.leader = hint;
        journey.hint = std::move(hint);
        co_return shard_.now() < journey.deadline;
    }
    journey.redirects = 0;
    ++journey.pauses;
    co_return co_await shard_.pause(backoff, journey.deadline, journey.group->id);
}

Error Courier::gave_up(const Journey& journey) const {
    std::string where = place(*journey.group, shard_.name());
    if (stopping_) return fail(Errc::member_stopped, where + ": the host is stopping");
    std::vector<HostName> voters;
    if (Group* member = shard_.members().find_running(journey.group->id)) {
        for (const PeerProgress& peer : member->status().members) {
            if (peer.kind == raft::VoteKind::voter) voters.push_back(peer.host);
        }
    } else if (auto route = routes_.find(journey.group->id); route != routes_.end()) {
        voters = route->second.hosts;
    }
    std::string away;
    std::size_t reachable = 0;
    for (const HostName& host : voters) {
        if (shard_.is_reachable(host)) {
            ++reachable;
        } else {
            away += (away.empty() ? "" : ", ") + host;
        }
    }
    if (!voters.empty() && reachable <= voters.size() / 2) {
        return fail(Errc::no_quorum, where + ": only " + std::to_string(reachable) + " of " +
                                         std::to_string(voters.size()) +
                                         " voters can be reached (away: " + away + ")");
    }
    return fail(Errc::no_leader, where +
                                     ": no leader could be reached before the deadline; last: " +
                                     to_string(journey.last));
}

Error Courier::overloaded(const GroupKey& group, const char* what) const {
    return fail_overloaded(place(group, shard_.name()) + ": too many " + what +
                               " are being forwarded to leaders on other hosts",
                           load_.rate.retry_after_ms(load_.commands));
}

bool Courier::admit(std::size_t bytes) {
    const HostOptions& options = shard_.options();
    load_.rate.look(shard_.now());
    if (load_.commands >= options.max_forwarded_commands ||
        load_.bytes + bytes > options.max_forwarded_bytes) {
        return false;
    }
    ++load_.commands;
    load_.bytes += bytes;
    return true;
}

void Courier::release(std::size_t bytes) {
    --load_.commands;
    load_.rate.drained(1);
    load_.bytes -= bytes;
}

}  // namespace quorate::group
