#pragma once

#include "storage/audit.hpp"
#include "storage/files.hpp"
#include "storage/watermark.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace quorate::storage {

// A log file that is ready to be written: it has its opening record and is known to its directory.
struct WalFile {
    std::uint64_t number = 0;
    std::unique_ptr<File> file;
    std::uint64_t bytes = 0;
};

struct WalFileOrder {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;               // at least; a recycled larger one is cut down to it
    std::optional<std::uint64_t> recycle;  // the settled file to make it from
};

// Makes or recycles a file, beside, and renames it into place: a file of a number is whole. Durable.
Result<WalFile> make_wal_file(Files& files, const LogPaths& paths, const WalFileOrder& order);

// What is new since the watermark was written last.
struct WatermarkChange {
    std::uint64_t batch = 0;
    bool clean = false;
    std::vector<std::pair<GroupId, std::optional<Watermark::Mark>>> marks;  // nothing: erased
};

// Holds the watermark as it was written last, so that the writer hands over only changes.
class WatermarkKeeper {
 public:
    explicit WatermarkKeeper(std::unique_ptr<WatermarkFile> file) : file_(std::move(file)) {}
    Result<void> write(const WatermarkChange& change);

 private:
    std::unique_ptr<WatermarkFile> file_;
    Watermark watermark_;
};

}  // namespace quorate::storage
