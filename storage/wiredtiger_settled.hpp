#pragma once

#include "storage/settled_log.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace quorate::storage {

struct WiredTigerOptions {
    std::string directory;  // of the settled log, as the operating system names it
    std::uint64_t cache_bytes = std::uint64_t{64} * 1024 * 1024;
    // Opening writes; with less space than this it is refused, since what WiredTiger says on a full
    // disk cannot be told from damage.
    std::uint64_t min_free_bytes = std::uint64_t{8} * 1024 * 1024;
};

// The settled log in WiredTiger: `file:` objects, no journal, durable by checkpoints. Why so:
// docs/formats/log.md.
std::unique_ptr<SettledHome> make_wiredtiger_home(WiredTigerOptions options);

}  // namespace quorate::storage
