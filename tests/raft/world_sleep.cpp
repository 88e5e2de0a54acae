#include "tests/raft/world.hpp"

#include <algorithm>

// What hosts learn of each other beside the groups (docs/protocol.md §12), and that groups sleep, and wake.
namespace quorate::raft::test {

// Each host hears of each other one in turns, as long as the links allow; that a process died, or a link
// of a follower was cut, is noticed early now and then, and always that a process began anew.
void World::exchange() {
    after(settings_.options.heartbeat_interval, [this] { exchange(); });
    for (auto& [id, node] : nodes_) {
        if (!node->up()) continue;
        std::vector<MemberId> silent, restarted;
        for (auto& [other, there] : nodes_) {
            if (other == id) continue;
            Heard& heard = heard_[{id, other}];
            if (hears(id, other)) {
                heard.at = now_;
                std::uint64_t before = std::exchange(heard.starts, there->starts());
                if (before != 0 && before != there->starts()) restarted.push_back(other);
            }
            bool dead = !there->up() && !gone_.contains(other);
            bool follows = node->core().role() != Role::leader;
            bool cut = faults_ && follows && !linked(id, other);
            bool seen = (dead && chance(0.5)) || (cut && chance(0.5));
            if (seen || now_ > heard.at + settings_.options.election_timeout) {
                heard.at = {};
                silent.push_back(other);
            }
        }
        tell_of(*node, silent, restarted);
    }
}

bool World::linked(MemberId one, MemberId other) const {
    return !cuts_.contains({one, other}) && !cuts_.contains({other, one});
}

// Who left its group is gone, its host is not.
bool World::hears(MemberId at, MemberId of) {
    bool lost = faults_ && chance(settings_.loss);
    return linked(at, of) && !lost && (nodes_.at(of)->up() || gone_.contains(of));
}

// A leader that sleeps while another one leads a later term: nobody is likelier to say what is not true.
Node* World::deposed_sleeper() {
    Node* latest = latest_leader();
    for (auto& [id, node] : nodes_) {
        if (!node->up() || node->core().role() != Role::leader || !node->core().asleep()) continue;
        if (node->core().term() < latest->core().term()) return node.get();
    }
    return nullptr;
}

void World::tell_of(Node& node, std::vector<MemberId> silent,
                    const std::vector<MemberId>& restarted) {
    if (!restarted.empty()) {
        std::vector<MemberId> both = silent;
        both.insert(both.end(), restarted.begin(), restarted.end());
        told_[node.id()] = both;
        input(node, Unreachable{std::move(both)});
    }
    if (!node.up()) return;
    if (told_[node.id()] != silent) {
        told_[node.id()] = silent;
        input(node, Unreachable{std::move(silent)});
    }
    if (node.up() && node.core().asleep()) look_after(node);
}

// A sleeping follower's host asks that of its leader, now and then.
void World::look_after(Node& node) {
    reach_.sleeps++;
    Core& core = node.core();
    if (core.role() == Role::leader || !chance(0.2) || !hears(node.id(), core.leader())) return;
    Node* leader = this->node(core.leader());
    bool leads =
        leader && leader->core().role() == Role::leader && leader->core().term() == core.term();
    if (!leads) input(node, LeaderLost{core.leader(), core.term()});
}

// ---- after healing ------------------------------------------------------------------------------

// Left alone, the group sleeps. Its leader's host dies: the others notice, and then sleep again; when it
// is back, it does as well.
void World::check_sleep() {
    if (settings_.options.hibernate_rounds == 0 || !can_heal()) return;
    works_ = false;
    await_sleep("left alone");
    Node* leader = latest_leader();
    const std::vector<Member>& members = leader->core().membership().members;
    auto voters = std::count_if(members.begin(), members.end(), [](const Member& member) {
        return member.kind == VoteKind::voter;
    });
    if (voters < 3) return;
    MemberId dead = leader->id();
    leader->crash(leader->unflushed());
    await_sleep("after the death of its leader");
    reach_.leaders_missed++;
    restart(dead);
    await_sleep("after the return of its former leader");
}

Node* World::latest_leader() {
    Node* latest = nullptr;
    for (auto& [id, node] : nodes_) {
        if (!node->up() || node->core().role() != Role::leader) continue;
        if (!latest || node->core().term() > latest->core().term()) latest = node.get();
    }
    return latest;
}

void World::await_sleep(const std::string& when) {
    for (int i = 0; i < 40; ++i) {
        run_until(now_ + 2 * settings_.options.election_timeout);
        if (sleeps()) return;
    }
    fail("the group does not sleep " + when);
}

bool World::sleeps() {
    Node* leader = latest_leader();
    if (!leader) return false;
    for (const Member& member : leader->core().membership().members) {
        Node* node = this->node(member.id);
        if (node && !node->core().asleep()) return false;
        if (node && node->core().leader() != leader->id()) return false;
    }
    return true;
}

}  // namespace quorate::raft::test
