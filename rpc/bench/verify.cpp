#include "rpc/bench/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

namespace quorate::bench {
namespace {

// Members that have applied no more for so long will not come level.
constexpr Duration stuck_after = 5s;

// How far each member has applied; nothing of those that do not answer.
std::vector<std::optional<Index>> reached(const std::vector<client::MemberAnswer>& members) {
    std::vector<std::optional<Index>> all;
    for (const client::MemberAnswer& one : members) {
        all.push_back(one.status ? std::optional(one.status->applied) : std::nullopt);
    }
    return all;
}

bool are_level(const std::vector<std::optional<Index>>& reached) {
    return std::ranges::all_of(
        reached, [&](const std::optional<Index>& one) { return one && one == reached.front(); });
}

// The members' answers once they have all applied as much.
Result<std::vector<client::MemberAnswer>> level_members(client::Client& client,
                                                        const std::string& group) {
    std::vector<std::optional<Index>> before;
    auto moved = std::chrono::steady_clock::now();
    for (;;) {
        TRY(auto members, client.admin().group_members(group, true, 20s).get());
        auto now = reached(members);
        if (are_level(now)) return members;
        if (now != before) moved = std::chrono::steady_clock::now();
        if (std::chrono::steady_clock::now() - moved > stuck_after) {
            return fail(Errc::deadline_exceeded,
                        fmt::format("group {}: its members have not applied equally far, and have "
                                    "come no nearer for 5 s",
                                    group),
                        "quorate host list shows whether one is down");
        }
        before = std::move(now);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

std::string check_states(const std::string& group,
                         const std::vector<client::MemberAnswer>& members) {
    const client::MemberStatus& first = *members.front().status;
    std::string wrong;
    for (const client::MemberAnswer& one : members) {
        if (one.status->state_hash == first.state_hash &&
            one.status->outcome_hash == first.outcome_hash) {
            continue;
        }
        wrong += fmt::format("group {}: {} and {} hold different states at entry {}\n", group,
                             first.host, one.host, first.applied.value());
    }
    return wrong;
}

Result<std::string> verify_group(client::Client& client, const std::string& group,
                                 const std::vector<const Written*>& writers) {
    TRY(auto answer, client.group(group)
                         .query(client::ReadLevel::linearizable, as_bytes(ask_accounts()), 20s)
                         .get());
    Accounts held = parse_accounts(answer.reply.text());
    std::string wrong;
    for (const Written* written : writers) wrong += check_account(*written, held[written->writer]);
    TRY(auto members, level_members(client, group));
    return wrong + check_states(group, members);
}

}  // namespace

std::string check_account(const Written& written, const Account& held) {
    const Account& wanted = written.acknowledged;
    if (held == wanted) return {};
    bool possible = held.count >= wanted.count && held.count <= wanted.count + written.unknown;
    if (written.unknown > 0 && possible) return {};
    return fmt::format(
        "group {}, client {}: {} commands were acknowledged ({} more unknown), {} were applied{}\n",
        written.group, written.writer, wanted.count, written.unknown, held.count,
        held.count == wanted.count ? ", and not the same ones" : "");
}

Result<std::string> verify(client::Client& client, const std::vector<Written>& written) {
    std::map<std::string, std::vector<const Written*>> by_group;
    for (const Written& one : written) by_group[one.group].push_back(&one);
    std::string wrong;
    for (const auto& [group, writers] : by_group) {
        TRY(std::string found, verify_group(client, group, writers));
        wrong += found;
    }
    return wrong;
}

}  // namespace quorate::bench
