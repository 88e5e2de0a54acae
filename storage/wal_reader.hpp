#pragma once

#include "storage/files.hpp"
#include "storage/wal_scan.hpp"

#include <memory>
#include <optional>
#include <string>

namespace quorate::storage {

// Reads the records of one file, with no more than a part of it in memory at a time: memory that is used
// again, and stays in the processor's cache. Thread: any, one.
class WalReader {
 public:
    // `into` is the memory; it outlives the reader.
    static Result<WalReader> open(Files& files, const std::string& path, std::uint64_t file,
                                  std::string& into);

    // Nothing: the seal was passed, or there is no record at position(). The payload lies in memory that
    // the next call uses again.
    Result<std::optional<ScannedRecord>> next();

    std::uint64_t position() const { return position_; }
    bool sealed() const { return scan_.sealed(); }

 private:
    WalReader(std::unique_ptr<File> handle, std::uint64_t file, std::uint64_t size,
              std::string& part)
        : handle_(std::move(handle)), file_(file), size_(size), part_(part), scan_({}, file) {}
    Result<void> read_from(std::uint64_t offset, std::uint64_t needed);

    std::unique_ptr<File> handle_;
    std::uint64_t file_;
    std::uint64_t size_;
    std::string& part_;
    std::uint64_t part_end_ = 0;  // its place in the file
    std::uint64_t position_ = 0;
    WalScan scan_;  // of the part
};

}  // namespace quorate::storage
