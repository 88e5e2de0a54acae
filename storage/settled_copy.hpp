#pragma once

#include "storage/durable_directory.hpp"
#include "storage/files.hpp"
#include "storage/settled_log.hpp"

#include <optional>
#include <string>

namespace quorate::storage {

// A second copy of what the settled log says of the groups (not of their entries), so that no
// registration, term or vote is lost with it. Written anew beside and renamed before each checkpoint
// of the settled log, so it is never older than that.
Result<void> write_settled_copy(Files& files, const std::string& path, SettledMark mark,
                                const Images& images);

struct SettledCopy {
    std::optional<SettledState> state;  // nothing: there is none, or it is damaged
    std::string complaint;              // not empty: it is damaged
};
Result<SettledCopy> read_settled_copy(Files& files, const std::string& path);

// Reads a whole file. Empty if it is not there.
Result<std::string> read_whole(Files& files, const std::string& path);
// Into memory that is there already: the system need not find and clear as much for each file.
Result<void> read_whole(Files& files, const std::string& path, std::string& into);
// Makes `path` hold `content`, durably and at once: there is never half of it.
Result<void> replace_whole(Files& files, const std::string& path, const std::string& content);
// The directory of a path; "" for the root.
std::string directory_of(const std::string& path);

}  // namespace quorate::storage
