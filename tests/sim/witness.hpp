#pragma once

#include "host/group/messages.hpp"
#include "host/group/status.hpp"
#include "host/machine/machine.hpp"
#include "plugins/kv/protocol.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace quorate::sim {

// Sees every entry applied anywhere and every answer a client gets, and checks what must always hold
// (reliability.md §3); RaftWitness does so for logs and messages. The first breach is kept; the world
// stops at it.
//
// It holds the one true history: the first member to apply an index writes it, every other must
// agree, and a second, dumb implementation of the machine says what the reply had to be.
class Witness {
 public:
    const std::string& breach() const { return breach_; }
    void report(const std::string& what) {
        if (breach_.empty()) breach_ = what;
    }

    // I10, I11, I14, I21: every member applies the same, once, in order.
    struct AppliedEntry {
        GroupId group;
        std::string host;
        std::uint64_t life = 0;  // one instance of a machine
        EntryId entry;
        std::string_view payload;
        std::string_view reply;
    };
    void applied(const AppliedEntry& applied);
    // A machine instance goes on after a snapshot.
    void loaded(std::uint64_t life, Index last) { last_applied_[life] = last; }
    std::uint64_t next_life() { return ++lives_; }

    // A client's operation: begins, and ends in at most one of these.
    struct Operation {
        GroupId group;
        std::string payload;  // of a command; unique, or empty if it may repeat
        std::string key;      // of a read
        Index floor;          // everything up to here was acknowledged before it began
    };
    Operation begin(GroupId group, std::string payload, std::string key) const;
    void ended(const Operation& operation, const group::Outcome& outcome);
    void ended(const Operation& operation, const group::QueryAnswer& answer,
               group::ReadLevel level);

    // I10: at an equal index all members' outcomes have one hash.
    void saw(const group::MemberStatus& status);

    // Every acknowledged command is in the history up to which all members have applied.
    void finish(GroupId group, Index applied_everywhere);

    struct Reach {
        std::uint64_t terms = 0;
        std::uint64_t applied = 0;
        std::uint64_t acknowledged = 0;
        std::uint64_t refused = 0;
        std::uint64_t unknown = 0;
        std::uint64_t reads = 0;
        std::uint64_t snapshots_loaded = 0;
        std::uint64_t overwritten = 0;  // entries that were written where another had been
        std::uint64_t memberships = 0;
        std::uint64_t outcomes_compared = 0;
        std::uint64_t fell_asleep = 0;     // followers that said so
        std::uint64_t woken = 0;           // and were sent something else after that
        std::uint64_t silent_nights = 0;   // healed worlds in which no group said anything
        std::uint64_t leaders_missed = 0;  // that died while their group slept
        void add(const Reach& other);
    };
    Reach reach;

 private:
    struct History {
        struct Item {
            Term term;
            std::string payload;
            std::string reply;
        };
        std::map<Index, Item> items;         // commands only
        std::map<std::string, Index> where;  // unique payloads
        std::set<std::string> refused;       // unique payloads that were answered not applied
        Index acknowledged;                  // highest index that a client knows of
        std::map<std::string, std::map<Index, std::optional<std::string>>> keys;
        std::map<Index, std::uint64_t> outcomes;  // hashes that members told
    };

    void check_first(History& history, const AppliedEntry& applied);
    std::string model_reply(History& history, Index index, std::string_view payload);
    std::optional<std::string> value_at(const History& history, const std::string& key,
                                        Index index) const;

    std::string breach_;
    std::uint64_t lives_ = 0;
    std::map<GroupId, History> histories_;
    std::map<std::uint64_t, Index> last_applied_;
};

}  // namespace quorate::sim
