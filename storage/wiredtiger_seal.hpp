#pragma once

#include "host/base/result.hpp"

#include <filesystem>
#include <string>

namespace quorate::storage {

// A second copy of WiredTiger's two plain-text files, WiredTiger and WiredTiger.turtle. They are
// all that it reads without a checksum, and one flipped bit in the latter makes it overwrite its own
// stack. The copy lies beside the directory and exists only while it is known to be equal: it is
// taken away before anything that rewrites them (opening, a checkpoint, closing) and made anew after.
class WiredTigerSeal {
 public:
    explicit WiredTigerSeal(std::filesystem::path directory);

    // Puts the files back as the copy has them, and keeps what was there in ../damaged. Returns what
    // was wrong; empty if nothing was, or there is no copy.
    Result<std::string> restore();
    Result<void> take_away();
    Result<void> make();

 private:
    Result<std::string> restore_file(const char* name, const std::string& content);

    std::filesystem::path directory_;
    std::filesystem::path seal_;
};

// Durable changes to the file system below the file layer, for what WiredTiger owns.
Result<std::string> read_path(const std::filesystem::path& path);
Result<void> replace_path(const std::filesystem::path& path, const std::string& content);
Result<void> sync_path(const std::filesystem::path& path);
// Moves a file or directory to ../damaged, under a name that is free there; returns the new path.
Result<std::filesystem::path> move_to_damaged(const std::filesystem::path& path,
                                              const std::filesystem::path& log_directory);
Result<void> check_path(const std::error_code& code, const std::string& what);

}  // namespace quorate::storage
