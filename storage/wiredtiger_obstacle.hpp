#pragma once

#include "host/base/result.hpp"

#include <cstdint>
#include <filesystem>

namespace quorate::storage {

// What keeps a sound WiredTiger directory from being opened: no space, no permission, no descriptors,
// a disk that does not give a file back. WiredTiger itself is no witness: on a full disk it
// panics, as it does over damage. Success: nothing, so that a failure to open is damage.
// Errc::disk_full: less than `min_free_bytes` are free; Errc::io says which file, and why.
Result<void> check_no_obstacle(const std::filesystem::path& directory,
                               std::uint64_t min_free_bytes);

}  // namespace quorate::storage
