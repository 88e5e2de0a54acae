#include "host/group/reserve_name.hpp"

#include "host/group/names.hpp"
#include "host/group/roll_call.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

// So many attempts' time is given to hosts that do not answer: they may be about to connect.
constexpr int patience_attempts = 2;

bool is_refusal(const Answer& answer) {
    if (answer.result || answer.fate != Fate::answered) return false;
    Errc code = answer.result.error().code;
    return code == Errc::group_exists || code == Errc::change_not_permitted;
}

// A member that is there says more than a promise to another.
const HostAnswer* refusal_in(const std::vector<HostAnswer>& answers) {
    const HostAnswer* found = nullptr;
    for (const HostAnswer& one : answers) {
        if (!is_refusal(one.answer)) continue;
        bool final = one.answer.result.error().code == Errc::group_exists;
        if (found == nullptr || final) found = &one;
    }
    return found;
}

Error too_few(const NameClaim& claim, const RollCall& roll, const std::vector<HostName>& agreed,
              const std::vector<HostAnswer>& answers) {
    return fail(Errc::no_quorum,
                "group " + quoted(claim.name) + " is not created: only " +
                    std::to_string(agreed.size()) + " of " + std::to_string(roll.size()) +
                    " hosts say that the name is free, and a majority must; not heard: " +
                    absent(roll, agreed, answers),
                "start the hosts that are named, or ask a host that reaches them: `quorate host "
                "list` shows who answers");
}

// The first host by name alone, then the others: whoever of several creators has that one finds nobody in
// its way at the others.
Operation<std::vector<HostAnswer>> ask_in_order(HostShard& shard, ReserveNameRequest request,
                                                Time deadline) {
    std::vector<HostName> others = shard.reachable_hosts();
    std::vector<HostName> first{others.front()};
    others.erase(others.begin());
    auto answers = co_await shard.ask_all(std::move(first), request, shard.attempt_until(deadline));
    if (refusal_in(answers) != nullptr) co_return answers;
    auto more = co_await shard.ask_all(std::move(others), request, shard.attempt_until(deadline),
                                       is_refusal);
    for (HostAnswer& answer : more) answers.push_back(std::move(answer));
    co_return answers;
}

enum class Heard : std::uint8_t { everybody, majority };

// Who is connected but silent may be one that has a member of the name.
Operation<Result<Heard>> try_once(HostShard& shard, NameClaim claim) {
    RollCall roll = call_roll(shard);
    ReserveNameRequest request{claim.name, claim.group, claim.round, claim.deadline - shard.now()};
    auto answers = co_await ask_in_order(shard, request, claim.deadline);
    if (const HostAnswer* refusal = refusal_in(answers)) {
        co_return within("host " + quoted(refusal->host), refusal->answer.result.error());
    }
    std::vector<HostName> agreed;
    for (const HostAnswer& answer : answers) {
        if (answer.answer.result) agreed.push_back(answer.host);
    }
    if (agreed.size() < roll.majority()) co_return too_few(claim, roll, agreed, answers);
    co_return agreed.size() == answers.size() ? Heard::everybody : Heard::majority;
}

}  // namespace

Operation<Result<NameClaim>> reserve_name(HostShard& shard, NameClaim claim) {
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    Duration time = claim.deadline - shard.now();
    Time patient_until =
        shard.now() + std::min(time / 2, patience_attempts * shard.options().attempt_timeout);
    for (;;) {
        ++claim.round;
        Result<Heard> reserved = co_await try_once(shard, claim);
        if (reserved && (*reserved == Heard::everybody || shard.now() >= patient_until)) {
            co_return claim;
        }
        if (reserved) {  // and kept, while the silent ones are asked once more
            co_await shard.pause(backoff, patient_until);
            continue;
        }
        give_up_name(shard, claim);
        Errc code = reserved.error().code;
        if (code == Errc::group_exists) co_return reserved.error();
        Time until = code == Errc::no_quorum ? patient_until : claim.deadline - time / 4;
        bool more = co_await shard.pause(backoff, until);
        if (!more) co_return reserved.error();
    }
}

void give_up_name(HostShard& shard, const NameClaim& claim) {
    ReserveNameRequest request{claim.name, claim.group, claim.round, {}};
    Time until = shard.now() + shard.options().attempt_timeout;
    for (const HostName& host : shard.reachable_hosts()) {
        shard.operations().run<Answer>(shard.request(host, request, until), [](const Answer&) {});
    }
}

}  // namespace quorate::group
