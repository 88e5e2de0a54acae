#include "tests/sim/sim_operator.hpp"

#include <array>

namespace quorate::sim {

void SimOperator::change_membership() {
    SimHost& at = any_host();
    bool waits = loop_.now() < changing_until_ && !chance(random_, settings_.impatient);
    if (!at.serving() || waits) return;
    Time deadline = loop_.now() + settings_.operation_timeout;
    changing_until_ = deadline + 1s;
    auto ended = [this](Result<EntryId>) { changing_until_ = loop_.now(); };
    std::string host = any_host().name();
    if (chance(random_, 0.4)) return at.service().remove_member(any_group(), host, deadline, ended);
    at.service().add_member(any_group(), host, kind_of_newcomer(), deadline, ended);
}

// One that counts from the start must not be added where another operator may just be cleaning up:
// an impatient one adds members that become voters when they have caught up.
raft::VoteKind SimOperator::kind_of_newcomer() {
    using raft::VoteKind;
    VoteKind voter = settings_.impatient > 0 ? VoteKind::promotable : VoteKind::voter;
    const std::array kinds{VoteKind::promotable, VoteKind::promotable, voter, VoteKind::non_voter,
                           VoteKind::non_voter};
    return kinds[random_() % kinds.size()];
}

void SimOperator::transfer() {
    SimHost& at = any_host();
    if (!at.serving()) return;
    std::string to = chance(random_, 0.5) ? std::string() : any_host().name();
    at.service().transfer_leadership(any_group(), to, loop_.now() + settings_.operation_timeout,
                                     [](Result<group::Done>) {});
}

void SimOperator::take_snapshot() {
    SimHost& at = any_host();
    if (!at.serving()) return;
    std::string host = chance(random_, 0.5) ? std::string() : any_host().name();
    at.service().take_snapshot(any_group(), host, loop_.now() + settings_.operation_timeout,
                               [](Result<std::vector<group::SnapshotSummary>>) {});
}

void SimOperator::stop_or_start() {
    SimHost& at = any_host();
    if (!at.serving()) return;
    Time deadline = loop_.now() + settings_.operation_timeout;
    auto ended = [](Result<group::Done>) {};
    std::string host = any_host().name();
    if (chance(random_, 0.4)) return at.service().stop_member(any_group(), host, deadline, ended);
    at.service().start_member(any_group(), host, deadline, ended);
}

void SimOperator::start_all() {
    for (auto& host : hosts_) {
        if (!host->serving()) continue;
        for (std::size_t g = 0; g < settings_.groups; ++g) {
            host->service().start_member("g" + std::to_string(g), host->name(), loop_.now() + 2s,
                                         [](Result<group::Done>) {});
        }
    }
}

void SimOperator::compare_outcomes() {
    SimHost& at = any_host();
    if (!at.serving()) return;
    at.service().group_members(any_group(), false, loop_.now() + 2s,
                               [this](Result<std::vector<group::MemberAnswer>> answers) {
                                   if (!answers.has_value()) return;
                                   for (const group::MemberAnswer& answer : *answers) {
                                       if (answer.status) witness_.saw(*answer.status);
                                   }
                               });
}

void SimOperator::sweep_up(SimHost& at, const std::string& name,
                           const std::vector<group::MemberAnswer>& answers) {
    if (!at.serving() || loop_.now() < changing_until_) return;
    for (const group::MemberAnswer& answer : answers) {
        if (!answer.error || answer.error->code != Errc::no_such_group) continue;
        changing_until_ = loop_.now() + 3s;
        return at.service().remove_member(
            name, answer.host, loop_.now() + 2s,
            [this](Result<EntryId>) { changing_until_ = loop_.now(); });
    }
}

}  // namespace quorate::sim
