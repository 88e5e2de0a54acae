#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <utility>

// The few file operations of the plugin store. Errors name the path and the system's reason.
namespace quorate::machine::disk {

// An open file of the system's, closed with it; below 0: none.
class Descriptor {
 public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor();
    int number() const { return number_; }
    bool is_open() const { return number_ >= 0; }

 private:
    int number_;
};

// All of a regular file. Errc::plugin_unreadable: absent, not a regular file, not permitted, or
// larger than `max_bytes`.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// Writes `name` in `directory` so that after a crash at any moment there is the whole file or
// none of it: aside first, synced, renamed, and the directory synced. Replaces what is there.
// Errc::io, disk_full: nothing is left under `name` that was not there before, or all of it is.
Result<void> write_durably(const std::filesystem::path& directory, const std::string& name,
                           ByteView bytes, mode_t mode);

Result<void> sync_directory(const std::filesystem::path& directory);

// The end of the names of files that write_durably() has not finished.
inline constexpr std::string_view unfinished_suffix = ".tmp";

// errno as an Error: "cannot <action> <path>: <reason>".
Error system_error(Errc code, std::string_view action, const std::filesystem::path& path,
                   int number);

}  // namespace quorate::machine::disk
