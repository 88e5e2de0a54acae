#pragma once

#include "storage/settled_log.hpp"
#include "storage/wal_image.hpp"
#include "storage/wal_recent.hpp"
#include "storage/wal_scan.hpp"
#include "storage/watermark.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quorate::storage {

// What the records of the log amount to, and what is missing among them.
//
// Where records are missing it is asked whose they were. A record whose header is whole says so
// itself. Else every group is suspected until its next record links to the one that is held, or the
// watermark, taken later, names the link that is held. Who is not cleared by the end is damaged.
//
// A damaged group's log is what was certain: up to the first missing entry, or the break in the
// chain; a reset (a snapshot) makes what follows certain again, but not the votes that may be gone.
class Replay {
 public:
    Replay(SettledState start, std::optional<Watermark> watermark);

    // A run of records follows, of this file; `owner` keeps their payloads' memory alive.
    void begin_file(std::uint64_t file, std::shared_ptr<const void> owner);
    void on(const ScannedRecord& record);
    // Something that was written before the next record is not there.
    void missing(std::string what);
    // The settled log is gone, and with it the entries of all groups that have some there.
    // Pre: before the first record.
    void lost_settled_entries();

    struct Group {
        GroupImage image;
        Recent recent;
        std::map<Index, Bytes> memberships;  // payloads, of those in `recent` and some cut off
        std::vector<Index> holes;            // entries whose payload is bad
        bool broken = false;        // records of the group are missing: what follows proves nothing
        bool checked = false;       // compared with the watermark
        bool vouched = false;       // the watermark names the link that was held then
        bool payload_lost = false;  // of a registration whose second copy is yet to come
        bool registered = false;
        std::size_t cleared = 0;         // how many of the gaps are known not to concern it
        Index highest;                   // of all entries seen
        std::uint64_t truncated_in = 0;  // the last file with a truncation
        // Found now; image.damage is what was found at an earlier start and is not repaired yet.
        std::optional<RecoveredLog::Damage> damage;

        void add_damage(std::string what);
    };
    struct Found {
        std::unordered_map<GroupId, Group> groups;
        std::vector<std::string> findings;  // what is wrong, for the operator
        std::set<std::uint64_t> damaged_files;
        std::uint64_t batch = 0;  // the highest of any record
        // Where the last record that counts ends: from there on the log is written again.
        std::uint64_t end_file = 0;
        std::uint64_t end_offset = 0;
        bool torn = false;  // records of an unfinished batch were dropped
        // The last batch that counts: all that may be read back without being on the disk.
        struct Tail {
            std::uint64_t file = 0;  // 0: there is none
            std::uint64_t batch = 0;
            std::uint64_t begin = 0;
            std::uint64_t end = 0;
        };
        Tail tail;
    };
    Found finish();

 private:
    struct Kept {
        ScannedRecord record;
        std::shared_ptr<const void> owner;
        std::uint64_t file = 0;
    };
    struct Gap {
        std::string where;
        std::uint64_t before_batch = 0;  // of the first record after it; 0: none came
    };

    bool may_be_torn(const ScannedRecord& record) const;
    void accept(const Kept& kept);
    void take_deferred();
    void take_unit();
    void take_gap(const Kept& kept);
    void apply(const Kept& kept);
    Group& group_of(const RecordHeader& header);
    void link_up(Group& group, const Kept& kept);
    void apply_entry(Group& group, const Kept& kept);
    void apply_to_log(Group& group, const Kept& kept);
    void check(GroupId id, Group& group);
    void judge(GroupId id, Group& group);
    void look_for_missing_groups();
    std::string place(const Kept& kept) const;

    Found found_;
    std::optional<Watermark> watermark_;  // only if it is newer than what has settled
    std::uint64_t file_ = 0;
    std::shared_ptr<const void> owner_;
    std::vector<Kept>
        deferred_;            // a damaged record and what followed, while it may be a torn batch
    std::vector<Kept> unit_;  // of an unfinished unit
    std::vector<Gap> gaps_;
    std::unordered_set<GroupId> erased_;
};

}  // namespace quorate::storage
