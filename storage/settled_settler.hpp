#pragma once

#include "storage/files.hpp"
#include "storage/settled_gatherer.hpp"
#include "storage/settled_log.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quorate::storage {

struct ScannedRecord;

// Moves full log files into the settled log, by reading them again: what was acknowledged is
// checked once more on the way. Thread: one, the settling thread.
class Settler {
 public:
    struct Job {
        std::vector<std::uint64_t> files;  // full ones, consecutive, following those settled before
        // The groups that there are by now, and how far each is released. What lies below never gets
        // there, nor do entries of groups that were erased.
        std::unordered_map<GroupId, Index> groups;
    };

    // `directory` holds the log files; `copy` is the path of the second copy.
    Settler(Files& files, std::string directory, std::string copy, SettledLog& settled,
            SettledState state)
        : files_(files),
          directory_(std::move(directory)),
          copy_(std::move(copy)),
          settled_(settled),
          gatherer_(settled),
          state_(std::move(state)) {}

    // Durable when it returns: the files may be used again. Errors are final.
    Result<SettledMark> run(const Job& job);

 private:
    Result<void> settle_file(std::uint64_t file, const Job& job);
    Result<void> apply(const ScannedRecord& record, const Job& job);
    Result<void> apply_entry(GroupId group, GroupImage& image, const ScannedRecord& record,
                             const Job& job);
    Result<void> apply_to_log(GroupId group, GroupImage& image, const ScannedRecord& record);
    Result<void> release(const Job& job);
    Result<void> release(GroupId group, GroupImage& image, Index to);
    Result<void> put_images();

    Files& files_;
    const std::string directory_;
    const std::string copy_;
    SettledLog& settled_;
    SettledGatherer gatherer_;  // of the file that is being read
    std::string part_;          // likewise
    SettledState state_;
    std::unordered_set<GroupId> dirty_;  // images that the settled log does not have yet
};

}  // namespace quorate::storage
