#pragma once

#include "tests/raft/node.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace quorate::raft::test {

// A property of Raft that did not hold.
class Violation : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

// How often the interesting things happened. A run that never reaches one of them proves nothing
// about it.
struct Reach {
    std::uint64_t elections = 0, commits = 0, truncations = 0, crashes = 0, lost_stores = 0,
                  resets = 0, compactions = 0, cold_reads = 0, changes = 0, promotions = 0,
                  removals = 0, transfers = 0, reads = 0, forwarded_reads = 0, damages = 0,
                  recoveries = 0, refused_appends = 0, beyond_repair = 0, sleeps = 0,
                  deposed_sleepers = 0, leaders_missed = 0;
    void add(const Reach& other);
    // Each with its name.
    std::vector<std::pair<std::string, std::uint64_t>> list() const;
};

// A group of members under one seed: a network that loses, repeats, reorders and cuts, disks that
// lose what was not synced, crashes, membership changes, transfers, reads. Its own mix of all of
// these is drawn from the seed. Throws Violation, or BrokenInvariant from a core.
class World {
 public:
    explicit World(std::uint64_t seed);

    void run();  // faults, then healing
    const Reach& reach() const { return reach_; }
    // Prints what happens; for replays.
    void trace() { traced_ = true; }
    bool stormy() const { return settings_.stormy; }

 private:
    struct Settings {
        Options options;
        std::size_t voters = 3;
        double loss = 0, repeat = 0, held_up = 0;
        Duration delay_max{}, disk_max{}, fault_every{}, work_every{};
        bool takes_turns = false;  // several inputs per take()
        bool stormy = false;       // hardly a leader lasts
        bool rests = false;        // no work for a while, now and then
        bool changes = false, crashes = false, cuts = false, damages = false, compacts = false;
    };
    struct Committed {
        EntryId id;
        std::uint64_t chain = 0;
        Term by;  // the term of the leader that committed it first
    };
    struct Event {
        Time at;
        std::uint64_t order;
        std::function<void()> action;
        friend bool operator<(const Event& a, const Event& b) {
            return std::pair(a.at, a.order) > std::pair(b.at, b.order);
        }
    };

    static Settings draw(Random& random);
    static void make_stormy(Settings& s, Random& random);
    bool chance(double probability) {
        return static_cast<double>(random_.next() >> 11) * 0x1p-53 < probability;
    }
    Duration within(Duration most);
    void after(Duration delay, std::function<void()> action);
    void run_until(Time end);

    Node* node(MemberId id);
    Node& any_node();
    Node* any_leader();
    void wake(MemberId id);
    void input(Node& node, Input input);
    void end_turn(Node& node);

    void observe(Node& node, const Output& output);
    void observe_log(Node& node, const Store& store);
    void observe_change(Node& node, const Changed& change);
    void observe_commit(Node& node, const Output& output);
    void observe_leader(Node& node);
    void check_elected(const Node& leader);
    void check_counted(const Node& leader, Index commit);
    void check_complete(const Node& leader, const Committed& entry);
    void check_promise(const Node& node, const Send& send);
    void check_round(const Node& node, const Send& send);
    void transmit(MemberId from, const Send& send);
    void fetch_snapshot(Node& node, const SnapshotWanted& wanted);
    void schedule_tick(Node& node);

    void fault();
    void crash(Node& node);
    void restart(MemberId id);
    void cut();
    void late_snapshot(Node& node);
    void harass(MemberId leader);
    void work();
    void propose(Node& node);
    void ask(Node& node);
    void change(Node& leader);
    // world_sleep.cpp
    void exchange();
    bool linked(MemberId one, MemberId other) const;
    bool hears(MemberId at, MemberId of);
    Node* deposed_sleeper();
    void tell_of(Node& node, std::vector<MemberId> silent, const std::vector<MemberId>& restarted);
    void look_after(Node& node);
    void check_sleep();
    void await_sleep(const std::string& when);
    bool sleeps();
    Node* latest_leader();

    void heal();
    void check_healed();
    std::string what_is_behind(const Node& leader, Index index);
    bool can_heal();
    void tell(const std::string& line) const;
    [[noreturn]] void fail(const std::string& what);

    Random random_;
    Settings settings_;
    Time now_{};
    std::uint64_t order_ = 0;
    std::vector<Event> events_;
    std::map<MemberId, std::unique_ptr<Node>> nodes_;
    std::map<MemberId, Time> wakes_;
    std::set<MemberId> gone_;
    std::set<std::pair<MemberId, MemberId>> cuts_;
    struct Heard {
        Time at{};
        std::uint64_t starts = 0;
    };
    std::map<std::pair<MemberId, MemberId>, Heard> heard_;  // by a host, of another
    std::map<MemberId, std::vector<MemberId>> told_;        // who does not answer
    bool faults_ = true;
    bool works_ = true;
    Time rests_until_{};
    std::uint64_t next_member_ = 1, next_id_ = 1;

    std::map<Term, MemberId> leaders_;
    std::map<std::pair<Term, MemberId>, MemberId> votes_;        // by term and voter
    std::map<std::pair<Term, MemberId>, std::uint64_t> rounds_;  // the latest that it was asked
    std::map<MemberId, EntryId> acknowledged_;                   // the term it was in and how far
    std::vector<Committed> history_;
    std::unordered_map<std::uint64_t, std::uint64_t> chains_;  // by term and index
    std::map<std::pair<MemberId, ReadId>, Index> asked_;       // what had been committed then
    Reach reach_;
    bool traced_ = false;
};

}  // namespace quorate::raft::test
