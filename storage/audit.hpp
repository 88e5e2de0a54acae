#pragma once

#include "host/raft/types.hpp"
#include "storage/audit_replay.hpp"
#include "storage/files.hpp"
#include "storage/log_store.hpp"
#include "storage/settled_log.hpp"
#include "storage/watermark.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace quorate::storage {

// Where the parts of a log lie, below the root of the file layer.
struct LogPaths {
    std::string directory;
    std::string watermark() const { return directory + "/watermark"; }
    std::string copy() const { return directory + "/groups"; }
    std::string damaged() const { return directory + "/damaged"; }
    std::string spare() const { return directory + "/spare.tmp"; }
    std::string wal(std::uint64_t file) const { return directory + "/" + wal_name(file); }
};

// A log as found, audited, and put in order: what the engine goes on from.
struct AuditedLog {
    std::unique_ptr<SettledLog> settled;
    SettledState settled_state;
    std::unique_ptr<WatermarkFile> watermark;
    struct Group {
        GroupImage image;
        Recent recent;
        std::map<Index, Bytes> memberships;  // payloads, of those in `recent` and some cut off
        std::uint64_t truncated_in = 0;      // the last file with a truncation of it
    };
    std::unordered_map<GroupId, Group> groups;
    std::vector<RecoveredLog> recovered;
    std::vector<std::uint64_t> full;  // sealed and not settled, ascending
    std::vector<std::uint64_t> free;  // settled: to be used again or removed
    std::uint64_t file = 1;           // the one to go on writing
    std::uint64_t offset = 0;         // 0: it is to be begun
    bool next_is_there = false;       // file + 1 exists, empty
    std::uint64_t batch = 0;          // the highest that was ever used
    std::vector<std::string>
        findings;  // what was wrong; empty after any crash that damaged nothing
};

// Opens the log: the last checkpoint of the settled log, then all records of the files that have
// not settled. A torn tail that nothing was promised of is cut. Anything else that is wrong is said
// in `findings` and as `damage` of the groups it touches; then what can be trusted settles, the
// damaged files are kept under damaged/, and the log goes on in a new file. Fails only if the disk
// does.
Result<AuditedLog> open_log(Files& files, const LogPaths& paths, SettledHome& home);

}  // namespace quorate::storage
