#include "storage/posix_files.hpp"

#include "host/base/check.hpp"
#include "storage/posix_error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <limits>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace quorate::storage {

Error posix_error(std::string_view verb, const std::string& path, int code) {
    Errc errc = code == ENOSPC || code == EDQUOT ? Errc::disk_full
                : code == ENOENT                 ? Errc::not_found
                                                 : Errc::io;
    return fail(errc, "cannot " + std::string(verb) + " " + path + ": " +
                          std::system_category().message(code));
}

namespace {

// A system call that a signal interrupted has done nothing: it is made again.
template <class Call>
auto uninterrupted(Call call) {
    for (;;) {
        auto result = call();
        if (result != -1 || errno != EINTR) return result;
    }
}

// Owns a descriptor.
class Descriptor {
 public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    int get() const { return number_; }

 private:
    int number_;
};

Result<Descriptor> open_descriptor(const std::string& path, int flags) {
    int number = uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); });
    if (number < 0) return posix_error("open", path, errno);
    return Descriptor(number);
}

class PosixFile final : public File {
 public:
    PosixFile(Descriptor descriptor, std::string path)
        : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override;
    Result<void> write_at(std::uint64_t offset, std::span<const ByteView> parts) override;
    Result<void> allocate(std::uint64_t size) override;
    Result<void> truncate(std::uint64_t size) override;
    Result<void> sync() override;
    Result<std::uint64_t> size() override;

 private:
    Result<void> write_all(std::uint64_t offset, std::span<iovec> parts);

    const Descriptor descriptor_;
    const std::string path_;
};

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
        ssize_t n = uninterrupted([&] {
            return ::pread(descriptor_.get(), into.data() + done, into.size() - done,
                           static_cast<off_t>(offset + done));
        });
        if (n < 0) return posix_error("read", path_, errno);
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

Result<void> PosixFile::write_at(std::uint64_t offset, std::span<const ByteView> parts) {
    constexpr std::size_t at_once = 1024;  // Linux' IOV_MAX
    std::vector<iovec> batch;
    batch.reserve(std::min(parts.size(), at_once));
    while (!parts.empty()) {
        batch.clear();
        std::uint64_t bytes = 0;
        for (ByteView part : parts.first(std::min(parts.size(), at_once))) {
            bytes += part.size();
            if (part.empty()) continue;
            batch.push_back({const_cast<std::byte*>(part.data()), part.size()});
        }
        TRY_VOID(write_all(offset, batch));
        offset += bytes;
        parts = parts.subspan(std::min(parts.size(), at_once));
    }
    return {};
}

Result<void> PosixFile::write_all(std::uint64_t offset, std::span<iovec> parts) {
    while (!parts.empty()) {
        ssize_t n = uninterrupted([&] {
            return ::pwritev(descriptor_.get(), parts.data(), static_cast<int>(parts.size()),
                             static_cast<off_t>(offset));
        });
        if (n < 0) return posix_error("write", path_, errno);
        if (n == 0) return posix_error("write", path_, ENOSPC);
        offset += static_cast<std::uint64_t>(n);
        for (auto left = static_cast<std::size_t>(n); left > 0;) {
            iovec& part = parts.front();
            std::size_t taken = std::min(left, part.iov_len);
            part.iov_base = static_cast<std::byte*>(part.iov_base) + taken;
            part.iov_len -= taken;
            left -= taken;
            if (part.iov_len == 0) parts = parts.subspan(1);
        }
    }
    return {};
}

// Zeroes are really written: blocks that are merely reserved cost a journal commit at each first
// sync of them, which takes longer than the sync (reference/perf.md: 30 to 43 % of every one).
Result<void> PosixFile::allocate(std::uint64_t target) {
    TRY(std::uint64_t from, size());
    if (target <= from) return {};
    int code = uninterrupted([&] {
        int result = ::posix_fallocate(descriptor_.get(), static_cast<off_t>(from),
                                       static_cast<off_t>(target - from));
        if (result == EINTR) errno = EINTR;
        return result == EINTR ? -1 : result;
    });
    if (code != 0 && code != EOPNOTSUPP && code != EINVAL) {
        return posix_error("reserve space for", path_, code);
    }
    static constexpr std::array<std::byte, 256 * 1024> zeroes{};
    while (from < target) {
        ByteView part(zeroes.data(), std::min<std::uint64_t>(zeroes.size(), target - from));
        TRY_VOID(write_at(from, {&part, 1}));
        from += part.size();
    }
    return {};
}

Result<void> PosixFile::truncate(std::uint64_t target) {
    int result =
        uninterrupted([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(target)); });
    if (result < 0) return posix_error("truncate", path_, errno);
    return {};
}

Result<void> PosixFile::sync() {
    int result = uninterrupted([&] { return ::fdatasync(descriptor_.get()); });
    if (result < 0) return posix_error("sync", path_, errno);
    return {};
}

Result<std::uint64_t> PosixFile::size() {
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) < 0) return posix_error("examine", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
}

Result<void> sync_directory_at(const std::string& path) {
    TRY(Descriptor directory, open_descriptor(path, O_RDONLY | O_DIRECTORY));
    int result = uninterrupted([&] { return ::fsync(directory.get()); });
    if (result < 0) return posix_error("sync directory", path, errno);
    return {};
}

// Makes `path` and its missing parents; the ones made are put into `made`, deepest last.
Result<void> make_directories(const std::string& path, std::vector<std::string>& made) {
    if (::mkdir(path.c_str(), 0700) == 0) {
        made.push_back(path);
        return {};
    }
    int code = errno;
    struct stat status {};
    if (code == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
    std::string parent = std::filesystem::path(path).parent_path().string();
    if (code != ENOENT || parent.empty() || parent == path) {
        return posix_error("make directory", path, code);
    }
    TRY_VOID(make_directories(parent, made));
    if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) {
        return posix_error("make directory", path, errno);
    }
    made.push_back(path);
    return {};
}

Result<struct statvfs> file_system(const std::string& root) {
    struct statvfs status {};
    int result = uninterrupted([&] { return ::statvfs(root.c_str(), &status); });
    if (result < 0) return posix_error("examine the file system of", root, errno);
    return status;
}

}  // namespace

Result<std::unique_ptr<PosixFiles>> PosixFiles::open(std::string root) {
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    std::vector<std::string> made;
    TRY_VOID(make_directories(root, made));
    std::error_code ignored;
    if (!std::filesystem::is_directory(root, ignored)) return posix_error("use", root, ENOTDIR);
    for (const std::string& path : made) {
        std::filesystem::path parent = std::filesystem::path(path).parent_path();
        TRY_VOID(sync_directory_at(parent.empty() ? "." : parent.string()));
    }
    return std::unique_ptr<PosixFiles>(new PosixFiles(std::move(root)));
}

std::string PosixFiles::full(const std::string& path) const {
    CHECK(!path.starts_with('/') && path.find("..") == std::string::npos,
          "a path leads out of its root");
    return path.empty() ? root_ : root_ + "/" + path;
}

Result<std::unique_ptr<File>> PosixFiles::open(const std::string& path, Mode mode) {
    int flags = mode == Mode::read         ? O_RDONLY
                : mode == Mode::create_new ? O_RDWR | O_CREAT | O_EXCL
                                           : O_RDWR;
    TRY(Descriptor descriptor, open_descriptor(full(path), flags));
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(descriptor), full(path)));
}

Result<bool> PosixFiles::exists(const std::string& path) {
    struct stat status {};
    if (::lstat(full(path).c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return posix_error("examine", full(path), errno);
}

Result<void> PosixFiles::make_directory(const std::string& path) {
    std::vector<std::string> made;
    return make_directories(full(path), made);
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& path) {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(full(path).c_str()), ::closedir);
    if (!directory) return posix_error("list", full(path), errno);
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        // One stream per call: readdir is safe here, and readdir_r is deprecated.
        const dirent* entry = ::readdir(directory.get());  // NOLINT(concurrency-mt-unsafe)
        if (entry == nullptr) break;
        std::string_view name(&entry->d_name[0]);
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return posix_error("list", full(path), errno);
    std::ranges::sort(names);
    return names;
}

Result<void> PosixFiles::rename(const std::string& from, const std::string& to) {
    int result = uninterrupted([&] { return ::rename(full(from).c_str(), full(to).c_str()); });
    if (result < 0) return posix_error("rename", full(from) + " to " + full(to), errno);
    return {};
}

Result<void> PosixFiles::remove(const std::string& path) {
    std::error_code code;
    std::filesystem::remove_all(full(path), code);
    if (code && code != std::errc::no_such_file_or_directory) {
        return posix_error("remove", full(path), code.value());
    }
    return {};
}

Result<void> PosixFiles::sync_directory(const std::string& path) {
    return sync_directory_at(full(path));
}

Result<std::uint64_t> PosixFiles::free_bytes() {
    TRY(auto status, file_system(root_));
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

Result<std::uint64_t> PosixFiles::capacity_bytes() {
    TRY(auto status, file_system(root_));
    return std::uint64_t{status.f_blocks} * status.f_frsize;
}

}  // namespace quorate::storage
