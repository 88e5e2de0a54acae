#pragma once

#include "host/base/mailbox.hpp"
#include "storage/durable_directory.hpp"
#include "storage/files.hpp"
#include "storage/snapshot_file.hpp"
#include "storage/snapshot_store.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quorate::storage {

// The directories that snapshots lie in:
//   <root>/<group, 16 hex digits>/<index, 20 digits>-<term>-<edition>/snapshot
// and beside them tmp-... (being written or removed: swept at open), recv-<index>-<term> (a
// transfer under way) and bad-... (set aside). An edition is counted up when a snapshot replaces one of the
// same entry that says something else of itself; the highest counts.
struct SnapshotName {
    EntryId last;
    std::uint64_t edition = 0;

    std::string text() const;
    static std::optional<SnapshotName> parse(std::string_view text);
    friend bool operator==(const SnapshotName&, const SnapshotName&) = default;
};

constexpr std::string_view snapshot_file_name = "snapshot";
std::string hex_name(GroupId group);
std::optional<GroupId> parse_hex_name(std::string_view name);

// What all parts of one snapshot store share: where things lie on disk, and what this process
// knows of them. Moves whole snapshots in and out; each move is one rename, synced.
// Thread: as SnapshotStore; what is open may be closed on any thread.
class SnapshotShelf {
 public:
    struct Options {
        int zstd_level = 3;
        std::uint32_t chunk_bytes = 1 << 20;  // raw; the last chunk of a snapshot is shorter
        std::uint64_t sync_bytes = 32ull
                                   << 20;  // written between two syncs, so that none takes long
    };
    // What was read of a snapshot, and whether it is on disk in order.
    enum class Condition : std::uint8_t { unknown, good, bad };

    SnapshotShelf(Files& disk, std::string directory, Options limits)
        : files(disk), root(std::move(directory)), options(limits) {}

    std::string group_path(GroupId group) const { return root + "/" + hex_name(group); }
    std::string path(GroupId group, const SnapshotName& name) const {
        return group_path(group) + "/" + name.text();
    }
    std::string file_path(GroupId group, const SnapshotName& name) const {
        return path(group, name) + "/" + std::string(snapshot_file_name);
    }

    // Snapshots of a group, newest first, highest edition first; those that are only kept because they
    // are open are not among them.
    Result<std::vector<SnapshotName>> names(GroupId group);
    // The one to use for an entry. Errc::not_found.
    Result<SnapshotName> find(GroupId group, EntryId last);

    // Opens and, unless that was done before, verifies all of it. Errc::corrupt also if it is not
    // the snapshot that its place says.
    Result<std::unique_ptr<SnapshotFile>> load(GroupId group, const SnapshotName& name);
    void mark_bad(GroupId group, const SnapshotName& name);
    Result<void> set_aside(GroupId group, const SnapshotName& name, const Error& why);

    // Syncs `from`, a directory that holds a whole synced snapshot, and moves it into its place. If the
    // very same one is there already, `from` is removed and that one stays.
    Result<SnapshotInfo> publish(GroupId group, const std::string& from, SnapshotInfo info);

    // Removes a snapshot now, or when the last who has it open closes it.
    Result<void> drop(GroupId group, const SnapshotName& name);
    void opened(GroupId group, const SnapshotName& name);
    void closed(GroupId group, const SnapshotName& name);

    // The one writer or receiver of a group. Errc::snapshot_busy if there is one.
    Result<void> claim(GroupId group);
    void unclaim(GroupId group);

    // Forgets all of a group, whose directory is gone.
    void forget(GroupId group);

    // How much of a partial transfer this process itself wrote and can vouch for.
    void set_partial(const std::string& path, std::uint64_t bytes);
    std::optional<std::uint64_t> take_partial(const std::string& path);

    Files& files;
    const std::string root;
    const Options options;

 private:
    struct Slot {
        Condition condition = Condition::unknown;
        std::size_t open = 0;
        bool doomed = false;
    };
    struct Known {
        std::map<std::string, Slot> slots;  // by path
        std::set<GroupId> claimed;
        std::map<std::string, std::uint64_t> partial;  // by path
    };

    Result<std::vector<SnapshotName>> names_on_disk(GroupId group);
    Result<SnapshotName> next_edition(GroupId group, EntryId last);
    Result<void> remove_snapshot(GroupId group, const SnapshotName& name);

    Guarded<Known> known_;
};

using SnapshotShelfPtr = std::shared_ptr<SnapshotShelf>;

// Holds a group's writer-or-receiver place while it lives.
class SnapshotClaim {
 public:
    static Result<SnapshotClaim> take(SnapshotShelfPtr shelf, GroupId group);
    SnapshotClaim(SnapshotClaim&&) = default;
    SnapshotClaim& operator=(SnapshotClaim&&) = delete;
    ~SnapshotClaim() {
        if (shelf_) shelf_->unclaim(group_);
    }

 private:
    SnapshotClaim(SnapshotShelfPtr shelf, GroupId group)
        : shelf_(std::move(shelf)), group_(group) {}
    SnapshotShelfPtr shelf_;
    GroupId group_;
};

}  // namespace quorate::storage
