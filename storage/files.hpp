#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorate::storage {

// One open file. Every failure is Errc::io (disk_full for ENOSPC, not_found for what is to be opened, listed
// or renamed and is not there) and names the path and errno's text.
// After a failed write_at or sync nothing is known of what is on the disk: the caller must not retry.
class File {
 public:
    virtual ~File() = default;
    // Up to into.size() bytes; fewer only at the end of the file.
    virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) = 0;
    // All of the parts, one after another, as one system call where possible.
    virtual Result<void> write_at(std::uint64_t offset, std::span<const ByteView> parts) = 0;
    virtual Result<void> allocate(
        std::uint64_t size) = 0;  // reserves and zeroes from its end up to size
    virtual Result<void> truncate(std::uint64_t size) = 0;
    virtual Result<void> sync() = 0;  // data and what is needed to find it (fdatasync)
    virtual Result<std::uint64_t> size() = 0;
};

// The file layer: everything below it is the operating system's or the simulator's, everything
// above it is the same code in both. Paths are relative to the root that it was opened on, parts
// joined with '/'. Thread: any; one thread at a time per file.
class Files {
 public:
    virtual ~Files() = default;
    enum class Mode : std::uint8_t { read, create_new, read_write };  // read_write: one that exists
    virtual Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) = 0;
    virtual Result<bool> exists(const std::string& path) = 0;
    virtual Result<void> make_directory(const std::string& path) = 0;  // parents too; fine if there
    virtual Result<std::vector<std::string>> list(const std::string& path) = 0;  // names, sorted
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;  // replaces
    // A file or a whole directory; fine if it is gone.
    virtual Result<void> remove(const std::string& path) = 0;
    virtual Result<void> sync_directory(const std::string& path) = 0;
    virtual Result<std::uint64_t> free_bytes() = 0;
    virtual Result<std::uint64_t> capacity_bytes() = 0;
};

}  // namespace quorate::storage
