#include "host/machine/disk.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace quorate::machine::disk {
namespace {

// EINTR is no failure: the call is made again.
template <class Call>
auto uninterrupted(Call call) {
    for (;;) {
        auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

Error write_error(std::string_view action, const std::filesystem::path& path, int number) {
    bool full = number == ENOSPC || number == EDQUOT;
    return system_error(full ? Errc::disk_full : Errc::io, action, path, number);
}

Result<void> write_all(const Descriptor& file, const std::filesystem::path& path, ByteView bytes) {
    while (!bytes.empty()) {
        ssize_t count = uninterrupted(
            [&file, bytes] { return ::write(file.number(), bytes.data(), bytes.size()); });
        if (count < 0) return write_error("write", path, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

// Writes and syncs; `path` must not exist.
Result<void> write_new(const std::filesystem::path& path, ByteView bytes, mode_t mode) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open()) return write_error("create", path, errno);
    TRY_VOID(write_all(file, path, bytes));
    if (::fchmod(file.number(), mode) != 0) return write_error("set the mode of", path, errno);
    if (::fsync(file.number()) != 0) return write_error("sync", path, errno);
    return {};
}

}  // namespace

Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

Error system_error(Errc code, std::string_view action, const std::filesystem::path& path,
                   int number) {
    return fail(code, "cannot " + std::string(action) + " " + path.string() + ": " +
                          std::generic_category().message(number));
}

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would block for ever.
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.is_open()) return system_error(Errc::plugin_unreadable, "open", path, errno);
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) {
        return system_error(Errc::plugin_unreadable, "look at", path, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(Errc::plugin_unreadable, path.string() + " is not a regular file");
    }
    auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > max_bytes) {
        return fail(Errc::plugin_unreadable, path.string() + " has " + std::to_string(size) +
                                                 " bytes; the limit is " +
                                                 std::to_string(max_bytes));
    }
    std::string content(size, '\0');
    std::size_t have = 0;
    while (have < content.size()) {
        ssize_t count = uninterrupted([&file, &content, have] {
            return ::read(file.number(), content.data() + have, content.size() - have);
        });
        if (count < 0) return system_error(Errc::plugin_unreadable, "read", path, errno);
        if (count == 0) break;  // it shrank meanwhile; its headers and hash will tell
        have += static_cast<std::size_t>(count);
    }
    content.resize(have);
    return content;
}

Result<void> write_durably(const std::filesystem::path& directory, const std::string& name,
                           ByteView bytes, mode_t mode) {
    std::filesystem::path aside = directory / (name + std::string(unfinished_suffix));
    std::filesystem::path path = directory / name;
    ::unlink(aside.c_str());  // what a crash, or a failed attempt, has left
    if (auto written = write_new(aside, bytes, mode); !written.has_value()) {
        ::unlink(aside.c_str());
        return written.error();
    }
    if (::rename(aside.c_str(), path.c_str()) != 0) {
        Error error = write_error("rename into place", path, errno);
        ::unlink(aside.c_str());
        return error;
    }
    return sync_directory(directory);
}

Result<void> sync_directory(const std::filesystem::path& directory) {
    Descriptor file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file.is_open()) return write_error("open", directory, errno);
    if (::fsync(file.number()) != 0) return write_error("sync", directory, errno);
    return {};
}

}  // namespace quorate::machine::disk
