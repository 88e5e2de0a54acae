#include "storage/wiredtiger_obstacle.hpp"

#include "storage/wiredtiger_seal.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;

// Held open beside the files themselves, as WiredTiger's threads and cursors may need some.
constexpr int spare_descriptors = 8;

class OpenFiles {
 public:
    OpenFiles() = default;
    OpenFiles(const OpenFiles&) = delete;
    OpenFiles& operator=(const OpenFiles&) = delete;
    ~OpenFiles() {
        for (int file : open_) ::close(file);
    }
    Result<int> open(const fs::path& path, int flags) {
        int file = ::open(path.c_str(), flags | O_CLOEXEC);
        if (file < 0) {
            return fail(Errc::io, "cannot open " + path.string() + ": " +
                                      std::system_category().message(errno));
        }
        open_.push_back(file);
        return file;
    }

 private:
    std::vector<int> open_;
};

Result<void> read_through(int file, const fs::path& path) {
    std::array<char, 1 << 16> buffer;
    for (;;) {
        ssize_t got = ::read(file, buffer.data(), buffer.size());
        if (got == 0) return {};
        if (got < 0 && errno != EINTR) {
            return fail(Errc::io, "cannot read " + path.string() + ": " +
                                      std::system_category().message(errno));
        }
    }
}

Result<void> check_space(const fs::path& directory, std::uint64_t min_free_bytes) {
    std::error_code code;
    fs::space_info space = fs::space(directory, code);
    TRY_VOID(check_path(code, "ask for the free space of " + directory.string()));
    if (space.available >= min_free_bytes) return {};
    return fail(Errc::disk_full,
                directory.string() + ": " + std::to_string(space.available) +
                    " bytes are free, and the log cannot be opened with less than " +
                    std::to_string(min_free_bytes),
                "free space and start again; nothing was changed");
}

}  // namespace

Result<void> check_no_obstacle(const fs::path& directory, std::uint64_t min_free_bytes) {
    TRY_VOID(check_space(directory, min_free_bytes));
    OpenFiles files;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(directory, code)) {
        if (!entry.is_regular_file(code)) continue;
        TRY(int file, files.open(entry.path(), O_RDWR));
        TRY_VOID(read_through(file, entry.path()));
    }
    TRY_VOID(check_path(code, "list " + directory.string()));
    for (int i = 0; i < spare_descriptors; ++i) TRY_VOID(files.open("/dev/null", O_RDONLY));
    return {};
}

}  // namespace quorate::storage
