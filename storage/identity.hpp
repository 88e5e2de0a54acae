#pragma once

#include "host/base/result.hpp"
#include "storage/files.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

// One directory, one process, one host: a lock against a second process, and an identity against
// a directory that was copied, mixed up or half made (reference: ra's and etcd's ways to lose data
// by starting on the wrong directory).
namespace quorate::storage {

// Holds `<directory>/lock` (flock) as long as it lives; the file says which process it is. The lock goes
// with the process, however that ends; the file stays.
class DirectoryLock {
 public:
    // The directory is there. Errc::directory_in_use, naming the process; directory_not_ours if
    // it holds files but none of ours; io.
    static Result<DirectoryLock> take(const std::string& directory);

    DirectoryLock(DirectoryLock&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)) {}
    DirectoryLock& operator=(DirectoryLock&&) = delete;
    ~DirectoryLock();

 private:
    explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

// Who a data directory belongs to.
struct Identity {
    static constexpr std::uint32_t format_now = 2;

    std::string cluster;
    std::string host;
    std::uint64_t incarnation =
        0;  // random, minted with the directory: tells it from any other of this host
    std::uint32_t format = format_now;  // of the directory's layout
    friend bool operator==(const Identity&, const Identity&) = default;
};

// A new incarnation, from the operating system's randomness. Never 0.
std::uint64_t random_incarnation();

std::string encode(const Identity& identity);
// Errc::corrupt; format_unknown if a newer release wrote it.
Result<Identity> decode_identity(std::string_view text);

struct ClaimedDirectory {
    Identity identity;
    bool is_new = false;  // build everything in it, durably, and then call finish_directory()
};

// Looks whether the directory that `files` is rooted in belongs to this host. Pre: it is locked.
//
// A new one is marked as being made; one whose making was cut short is emptied and begun anew. Two
// copies of the identity are kept: if one is damaged or missing it is written again from the other, with a
// line in the log.
// Errors: identity_mismatch, naming both; directory_not_ours if files are there without an identity;
// corrupt if neither copy is readable; format_unknown; the file layer's.
Result<ClaimedDirectory> claim_directory(Files& files, const std::string& cluster,
                                         const std::string& host, std::uint64_t new_incarnation);

// Writes the identity: from when this returns the directory is made.
Result<void> finish_directory(Files& files, const Identity& identity);

}  // namespace quorate::storage
