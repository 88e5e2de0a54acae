#pragma once

#include "storage/files.hpp"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace quorate::sim {

// What was asked of a simulated disk since it was made.
struct FileStatistics {
    std::uint64_t operations = 0;  // all of those below, and opens, lists and the like
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t syncs = 0;
    std::uint64_t directory_changes = 0;  // create, rename, remove, make_directory
    std::uint64_t directory_syncs = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t failures = 0;  // injected ones
    std::uint64_t power_cuts = 0;
    friend bool operator==(const FileStatistics&, const FileStatistics&) = default;
};

// A disk in memory that does to its users what real ones do: un-synced writes survive a power cut
// by the sector or not at all or torn, un-synced directory changes are lost, operations fail, space
// runs out, bits flip. Outlives the processes that use it. Same calls and seed, same behaviour.
//
// The end of a process: crash() or kill(), then destroy what used the disk (each of its operations,
// those of destructors too, fails with Errc::io), then restart(). A File opened before never
// works again. Thread: any.
class SimFiles final : public storage::Files {
 public:
    explicit SimFiles(std::uint64_t seed, std::uint64_t capacity_bytes = std::uint64_t{1} << 40);
    ~SimFiles() override;

    Result<std::unique_ptr<storage::File>> open(const std::string& path, Mode mode) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> make_directory(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> sync_directory(const std::string& path) override;
    Result<std::uint64_t> free_bytes() override;
    Result<std::uint64_t> capacity_bytes() override;

    // The power fails: an arbitrary part of what was not synced is gone.
    void crash(std::mt19937_64& random);
    // The process dies and the machine goes on: nothing is lost.
    void kill();
    void restart();

    enum class Failing : std::uint8_t { once, from_then_on };
    // The n-th operation from now (1: the next) fails with Errc::io; if it is a write it may have
    // written its first part, if a sync some sectors. `from_then_on` with crash() after it is a
    // power cut in the midst of that operation. Replaces an earlier call.
    void fail_operation(std::uint64_t n, Failing failing = Failing::once);
    // No failure to come, and none any more.
    void heal();
    // Writes that would take the sum of all files' sizes past this fail with Errc::disk_full.
    void set_capacity(std::uint64_t bytes);
    // In cache and medium alike. Pre: the file exists and is longer than `offset`; bit < 8.
    void flip_bit(const std::string& path, std::uint64_t offset, unsigned bit);

    FileStatistics statistics() const;
    // Paths of all files, sorted.
    std::vector<std::string> all_files() const;
    // Pre: the file exists.
    std::uint64_t size_of(const std::string& path) const;
    std::string contents(const std::string& path) const;
    // Whether no write to the file would be lost by a power cut. Pre: the file exists.
    bool is_synced(const std::string& path) const;

    struct Disk;

 private:
    std::shared_ptr<Disk> disk_;
};

}  // namespace quorate::sim
