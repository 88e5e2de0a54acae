#include "tests/raft/world.hpp"

#include "host/base/check.hpp"
#include "host/raft/quorum.hpp"
#include "tests/raft/print.hpp"

#include <algorithm>
#include <iostream>

namespace quorate::raft::test {
namespace {

Membership first_members(std::size_t voters) {
    Membership membership;
    for (std::uint64_t id = 1; id <= voters; ++id)
        membership.members.push_back({MemberId(id), "h" + std::to_string(id), VoteKind::voter, {}});
    return membership;
}

}  // namespace

World::Settings World::draw(Random& random) {
    auto chance = [&](unsigned percent) { return random.below(100) < percent; };
    Settings s;
    s.options.election_timeout = 20ms + 1ms * static_cast<int>(random.below(100));
    s.options.heartbeat_interval =
        s.options.election_timeout / static_cast<int>(3 + random.below(8));
    s.options.commit_delay = 1ms * static_cast<int>(random.below(5));
    s.options.max_append_entries =
        static_cast<std::uint32_t>(1 + random.below(chance(50) ? 2 : 20));
    s.options.max_append_bytes = 1 + random.below(200);
    s.options.max_inflight_messages = static_cast<std::uint32_t>(1 + random.below(6));
    s.options.max_inflight_bytes = 1 + random.below(1000);
    s.options.max_uncommitted_bytes = 1 + random.below(2000);
    s.options.pre_vote = chance(80);
    s.options.check_quorum = chance(90);
    s.voters = 1 + random.below(5);
    s.loss = chance(70) ? static_cast<double>(random.below(30)) / 100 : 0;
    s.repeat = chance(50) ? static_cast<double>(random.below(20)) / 100 : 0;
    s.held_up = chance(50) ? static_cast<double>(random.below(10)) / 100 : 0;
    s.delay_max = 100us * static_cast<int>(1 + random.below(chance(20) ? 1500 : 100));
    s.disk_max = 100us * static_cast<int>(1 + random.below(chance(20) ? 600 : 60));
    s.fault_every = s.options.election_timeout * static_cast<int>(2 + random.below(30)) / 10;
    s.work_every = s.options.election_timeout / static_cast<int>(1 + random.below(10));
    s.takes_turns = chance(50);
    s.changes = chance(50);
    s.crashes = chance(80);
    s.cuts = chance(70);
    s.damages = chance(20);
    s.compacts = chance(60);
    s.options.hibernate_rounds = chance(70) ? static_cast<std::uint32_t>(1 + random.below(3)) : 0;
    s.rests = chance(60);
    if (chance(40)) make_stormy(s, random);
    return s;
}

// Many short terms, few entries in each, slow commits: where Figures 3.7 and 4.7 live.
void World::make_stormy(Settings& s, Random& random) {
    auto chance = [&](unsigned percent) { return random.below(100) < percent; };
    s.stormy = true;
    s.held_up = static_cast<double>(random.below(25)) / 100;
    if (s.changes) s.voters = 3 + random.below(2);
    s.options.max_append_entries = static_cast<std::uint32_t>(1 + random.below(2));
    s.options.max_inflight_messages = static_cast<std::uint32_t>(1 + random.below(2));
    s.options.pre_vote = chance(30);
    s.options.check_quorum = chance(60);
    s.delay_max = s.options.election_timeout * static_cast<int>(1 + random.below(10)) / 30;
    s.disk_max = s.options.election_timeout * static_cast<int>(1 + random.below(10)) / 30;
    s.fault_every = s.options.election_timeout * static_cast<int>(2 + random.below(20)) / 10;
    s.work_every = s.options.election_timeout / static_cast<int>(1 + random.below(6));
}

World::World(std::uint64_t seed) : random_(seed), settings_(draw(random_)) {
    now_ = Time{} + 1s;
    Membership first = first_members(settings_.voters);
    for (const Member& member : first.members) {
        nodes_[member.id] = std::make_unique<Node>(member.id, settings_.options, first);
        restart(member.id);
    }
    next_member_ = settings_.voters + 1;
    after(settings_.fault_every, [this] { fault(); });
    after(settings_.work_every, [this] { work(); });
    exchange();
}

void World::run() {
    run_until(now_ + (settings_.stormy ? 120 : 40) * settings_.options.election_timeout);
    heal();
    run_until(now_ + 30 * settings_.options.election_timeout);
    check_healed();
    check_sleep();
}

void World::tell(const std::string& line) const {
    std::cout << (now_ - Time{} - 1s) / 1us << "us " << line << "\n";
}

void World::fail(const std::string& what) {
    throw Violation(what + " (after " + std::to_string((now_ - Time{} - 1s) / 1us) + " us)");
}

// ---- time ---------------------------------------------------------------------------------------

Duration World::within(Duration most) {
    return Duration(
        static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

void World::after(Duration delay, std::function<void()> action) {
    events_.push_back({now_ + delay, order_++, std::move(action)});
    std::push_heap(events_.begin(), events_.end());
}

void World::run_until(Time end) {
    while (!events_.empty() && events_.front().at <= end) {
        std::pop_heap(events_.begin(), events_.end());
        Event event = std::move(events_.back());
        events_.pop_back();
        now_ = event.at;
        event.action();
    }
    now_ = end;
}

void World::schedule_tick(Node& node) {
    Time next = node.core().next_deadline();
    if (next == Time::max()) return;
    next = std::max(next, now_) + within(settings_.options.heartbeat_interval / 10);
    Time& planned = wakes_[node.id()];
    if (planned > now_ && planned <= next) return;
    planned = next;
    after(next - now_, [this, id = node.id(), next] {
        if (wakes_[id] == next) wake(id);
    });
}

void World::wake(MemberId id) {
    wakes_[id] = {};
    Node* awake = node(id);
    if (!awake) return;
    awake->step(Tick{now_});
    end_turn(*awake);
}

// ---- members --------------------------------------------------------------------------------------

Node* World::node(MemberId id) {
    auto found = nodes_.find(id);
    return found != nodes_.end() && found->second->up() ? found->second.get() : nullptr;
}

Node& World::any_node() {
    auto at = nodes_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(nodes_.size())));
    return *at->second;
}

Node* World::any_leader() {
    std::vector<Node*> leaders;
    for (auto& [id, node] : nodes_) {
        if (node->up() && node->core().role() == Role::leader) leaders.push_back(node.get());
    }
    return leaders.empty() ? nullptr : leaders[random_.below(leaders.size())];
}

void World::input(Node& node, Input input) {
    node.step(Tick{now_});
    node.step(std::move(input));
    if (!settings_.takes_turns || chance(0.6)) return end_turn(node);
    after(within(1ms), [this, id = node.id()] {
        if (Node* later = this->node(id)) end_turn(*later);
    });
}

void World::end_turn(Node& node) {
    bool was_damaged = node.damaged();
    Output output = node.take();
    reach_.recoveries += was_damaged && !node.damaged() ? 1 : 0;
    if (traced_) {
        for (const std::string& line : print(node.id(), output)) tell(line);
    }
    observe(node, output);
    for (const Send& send : output.sends) transmit(node.id(), send);
    if (output.store) {
        after(within(settings_.disk_max), [this, id = node.id(), ticket = output.store->ticket] {
            Node* writer = this->node(id);
            if (!writer || writer->unflushed() == 0) return;
            writer->step(Tick{now_});
            writer->flush(1 + random_.below(writer->unflushed()));
            end_turn(*writer);
        });
    }
    for (const NeedEntries& need : output.need_entries) {
        reach_.cold_reads++;
        after(within(settings_.disk_max), [this, id = node.id(), need] {
            Node* reader = this->node(id);
            if (!reader) return;
            if (need.term != reader->core().term() || faults_ ? chance(0.1) : false)
                return input(*reader, EntriesFetched{
                                          .peer = need.peer, .from = need.from, .term = need.term});
            reader->step(Tick{now_});
            reader->step(reader->read(need));
            end_turn(*reader);
        });
    }
    if (output.snapshot_wanted) fetch_snapshot(node, *output.snapshot_wanted);
    if (output.removed) {
        reach_.removals++;
        gone_.insert(node.id());
        node.crash(0);
        return;
    }
    schedule_tick(node);
}

void World::fetch_snapshot(Node& node, const SnapshotWanted& wanted) {
    Duration delay = within(settings_.options.election_timeout * 2);
    std::optional<Snapshot> copy;
    if (Node* source = this->node(wanted.from)) {
        if (const Snapshot* found = source->snapshot(wanted.snapshot)) copy = *found;
    }
    if (faults_ && chance(0.2)) copy.reset();
    after(delay, [this, id = node.id(), wanted, copy, start = node.starts()] {
        Node* receiver = this->node(id);
        if (!receiver || (receiver->starts() != start && !chance(0.2))) return;
        if (!copy) return input(*receiver, SnapshotFailed{wanted.snapshot});
        receiver->step(Tick{now_});
        receiver->receive_snapshot(*copy);
        end_turn(*receiver);
        if (!faults_ || !chance(0.2)) return;
        after(within(settings_.options.election_timeout * 4), [this, id, copy, start] {
            Node* again = this->node(id);
            if (!again || again->starts() != start) return;
            again->step(Tick{now_});
            again->receive_snapshot(*copy);
            end_turn(*again);
        });
    });
}

void World::transmit(MemberId from, const Send& send) {
    check_promise(*nodes_.at(from), send);
    check_round(*nodes_.at(from), send);
    std::size_t copies = 1;
    if (faults_ && chance(settings_.loss)) copies = 0;
    if (faults_ && chance(settings_.repeat)) copies += 1;
    for (; copies > 0; --copies) {
        bool held_up = faults_ && chance(settings_.held_up);
        Duration most = held_up ? 3 * settings_.options.election_timeout : settings_.delay_max;
        after(within(most), [this, from, send] {
            if (cuts_.contains({from, send.to})) return;
            Node* to = node(send.to);
            if (to && traced_)
                tell(std::to_string(send.to.value()) + " receives from " +
                     std::to_string(from.value()) + " " + print(send.message));
            if (to) input(*to, Receive{from, send.to, Epoch(1), send.message});
        });
    }
}

// ---- faults ---------------------------------------------------------------------------------------

void World::fault() {
    if (!faults_) return;
    Node& target = any_node();
    if (settings_.crashes && chance(settings_.stormy ? 0.3 : 0.4)) {
        if (target.up()) crash(target);
    } else if (settings_.cuts && chance(0.5)) {
        cut();
    } else if (target.up()) {
        if (settings_.compacts && chance(0.2)) {
            late_snapshot(target);
        } else if (chance(settings_.stormy ? 0.8 : 0.3)) {
            input(target, Campaign{});
        }
    }
    after(within(2 * settings_.fault_every), [this] { fault(); });
}

void World::crash(Node& node) {
    reach_.crashes++;
    std::size_t kept = random_.below(node.unflushed() + 1);
    if (traced_)
        tell(std::to_string(node.id().value()) +
             " crashes, stores lost: " + std::to_string(node.unflushed() - kept));
    reach_.lost_stores += node.unflushed() - kept;
    node.crash(kept);
    bool others_whole = std::none_of(nodes_.begin(), nodes_.end(),
                                     [](const auto& other) { return other.second->damaged(); });
    if (settings_.damages && others_whole && settings_.voters >= 3 && chance(0.5)) {
        reach_.damages++;
        acknowledged_.erase(node.id());
        if (traced_) tell("and its disk is damaged");
        node.damage(node.durable_log().last().next() -
                    random_.below(node.durable_log().entries().size() + 1));
    }
    Duration most = settings_.options.election_timeout * (settings_.stormy ? 1 : 3);
    after(within(most), [this, id = node.id()] { restart(id); });
}

void World::restart(MemberId id) {
    Node& node = *nodes_.at(id);
    if (node.up() || gone_.contains(id)) return;
    if (traced_) tell(std::to_string(id.value()) + " starts");
    node.start(random_.next(), now_);
    told_[id].clear();
    end_turn(node);
}

// Two sides, or one member's links in one direction or both, or none.
void World::cut() {
    cuts_.clear();
    if (chance(0.3)) return;
    std::set<MemberId> side;
    bool halves = chance(0.5);
    for (auto& [id, node] : nodes_) {
        if (halves && chance(0.5)) side.insert(id);
    }
    Node* leader = any_leader();
    bool sleeper = leader && leader->core().asleep() && chance(0.7);
    if (!halves) side.insert(sleeper ? leader->id() : any_node().id());
    bool in = halves || chance(0.7), out = halves || chance(0.7);
    for (auto& [one, a] : nodes_) {
        for (auto& [other, b] : nodes_) {
            if (!side.contains(one) || side.contains(other)) continue;
            if (in) cuts_.insert({other, one});
            if (out) cuts_.insert({one, other});
        }
    }
    if (traced_) tell("links cut: " + std::to_string(cuts_.size()));
}

// Changes, crashes and cuts while a leader is new, when its entries are here and there.
void World::harass(MemberId id) {
    after(within(3 * settings_.delay_max), [this, id] {
        Node* leader = node(id);
        if (!leader || leader->core().role() != Role::leader || !faults_) return;
        if (settings_.changes && chance(0.6)) {
            change(*leader);
        } else if (settings_.crashes && chance(0.4)) {
            crash(*leader);
        } else if (settings_.cuts && chance(0.4)) {
            cut();
        }
    });
}

// A transfer that nobody waits for any more ends well.
void World::late_snapshot(Node& node) {
    const Snapshot* found = any_node().newest_snapshot();
    if (!found) return;
    Snapshot copy = *found;
    node.step(Tick{now_});
    node.receive_snapshot(copy);
    end_turn(node);
}

// ---- work -----------------------------------------------------------------------------------------

void World::work() {
    if (!works_) return;
    after(within(2 * settings_.work_every), [this] { work(); });
    if (settings_.rests && now_ >= rests_until_ && chance(0.05))
        rests_until_ = now_ + within(10 * settings_.options.election_timeout);
    if (Node* deposed = deposed_sleeper()) {
        reach_.deposed_sleepers++;
        return ask(*deposed);
    }
    if (now_ < rests_until_) return;
    Node* leader = any_leader();
    Node& other = any_node();
    if (leader && chance(0.1)) return ask(*leader);
    if (leader && chance(0.6)) return propose(*leader);
    if (leader && settings_.changes && chance(settings_.stormy ? 0.4 : 0.1)) return change(*leader);
    if (leader && faults_ && chance(settings_.stormy ? 0.2 : 0.04))
        return input(*leader,
                     TransferLeadership{next_id_++, chance(0.5) ? MemberId{} : other.id()});
    if (leader && faults_ && chance(0.02)) return input(*leader, CancelTransfer{});
    if (!other.up()) return;
    if (settings_.compacts && chance(0.1)) {
        other.step(Tick{now_});
        Index kept = Index(other.applied().value() -
                           std::min<std::uint64_t>(other.applied().value(), random_.below(6)));
        if (other.compact(kept.next())) reach_.compactions++;
        return end_turn(other);
    }
    if (chance(0.1)) {
        other.step(Tick{now_});
        other.trim_cache(Index(random_.below(other.log().last().value() + 2)));
        return end_turn(other);
    }
    ask(other);
}

void World::propose(Node& node) {
    Propose proposal{.id = next_id_++};
    for (std::uint64_t count = 1 + random_.below(3); count > 0; --count) {
        std::string payload = std::to_string(next_id_++) + std::string(random_.below(40), '.');
        proposal.batch.push_back({EntryKind::command, Bytes::take(std::move(payload))});
    }
    input(node, std::move(proposal));
}

void World::ask(Node& node) {
    ReadId id(next_id_++);
    asked_[{node.id(), id}] = Index(history_.size());
    if (node.core().role() != Role::leader) reach_.forwarded_reads++;
    input(node, Read{id});
}

void World::change(Node& leader) {
    const Membership& members = leader.core().membership();
    ChangeMembership change{.id = next_id_++};
    MemberId picked = members.members[random_.below(members.members.size())].id;
    auto kind =
        settings_.stormy && chance(0.6) ? VoteKind::voter : static_cast<VoteKind>(random_.below(3));
    std::size_t most = settings_.stormy ? 5 : 6;
    if (members.members.size() < most && faults_ && chance(0.5)) {
        MemberId id(next_member_++);
        nodes_[id] = std::make_unique<Node>(id, settings_.options, members);
        change.change = AddMember{{id, "h" + std::to_string(id.value()), kind, {}}};
        restart(id);
    } else if (members.members.size() > (settings_.stormy ? 3 : 1) &&
               chance(settings_.stormy ? 0.9 : 0.5)) {
        change.change = RemoveMember{picked};
    } else {
        change.change = SetVoteKind{picked, chance(0.7) ? VoteKind::voter : kind};
    }
    input(leader, change);
}

// ---- healing --------------------------------------------------------------------------------------

void World::heal() {
    faults_ = false;
    cuts_.clear();
    settings_.changes = false;
    settings_.work_every = settings_.options.election_timeout;
    settings_.delay_max = std::min(settings_.delay_max, settings_.options.heartbeat_interval / 4);
    settings_.disk_max = std::min(settings_.disk_max, settings_.options.heartbeat_interval / 4);
    for (auto& [id, node] : nodes_) {
        if (!node->up()) restart(id);
    }
}

// A membership whose whole voters are no majority waits for an operator, by design.
bool World::can_heal() {
    for (auto& [id, node] : nodes_) {
        if (!node->up()) continue;
        std::size_t voters = 0, whole = 0;
        for (const Member& member : node->core().membership().members) {
            if (member.kind != VoteKind::voter) continue;
            Node* voter = this->node(member.id);
            voters++;
            whole += voter && !voter->core().recovering() ? 1 : 0;
        }
        if (whole < majority(voters)) return false;
    }
    return true;
}

void World::check_healed() {
    Node* leader = nullptr;
    for (auto& [id, node] : nodes_) {
        if (!node->up() || node->core().role() != Role::leader) continue;
        if (!leader || node->core().term() > leader->core().term()) leader = node.get();
    }
    if (!can_heal()) {
        reach_.beyond_repair++;
        return;
    }
    if (!leader) fail("no leader after healing");
    Index before = leader->core().commit();
    works_ = false;
    propose(*leader);
    // Windows of one entry take their time.
    std::string behind;
    for (int i = 0; i < 50; ++i) {
        run_until(now_ + 10 * settings_.options.election_timeout);
        if (leader->core().role() != Role::leader) fail("the leader did not last after healing");
        behind = what_is_behind(*leader, before.next());
        if (behind.empty()) return;
    }
    fail(behind + " after healing");
}

std::string World::what_is_behind(const Node& leader, Index index) {
    if (leader.core().commit() < index) return "nothing commits";
    for (const Member& member : leader.core().membership().members) {
        std::string name = "member " + std::to_string(member.id.value());
        Node* node = this->node(member.id);
        if (!node) fail(name + " is gone");
        if (node->applied() < index) return name + " lags";
        if (node->core().recovering()) return name + " still recovers";
        if (member.kind == VoteKind::promotable) return name + " is not promoted";
    }
    return {};
}

}  // namespace quorate::raft::test
