#include "storage/identity.hpp"
#include "storage/posix_error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/file.h>
#include <unistd.h>

namespace quorate::storage {
namespace {

// "process 123", or what can be said without knowing.
std::string holder(int descriptor) {
    char text[32] = {};
    ssize_t count = ::pread(descriptor, &text[0], sizeof(text) - 1, 0);
    std::string digits;
    for (ssize_t i = 0; i < count && text[i] >= '0' && text[i] <= '9'; ++i) digits += text[i];
    return digits.empty() ? "another process" : "process " + digits;
}

// A lock that somebody removed as stale makes no other's directory of ours.
bool is_of_others(const std::string& directory) {
    std::error_code ignored;
    for (const char* ours : {"/lock", "/identity", "/identity.bak"}) {
        if (std::filesystem::exists(directory + ours, ignored)) return false;
    }
    return !std::filesystem::is_empty(directory, ignored);
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
    std::string path = directory + "/lock";
    // A directory that is somebody else's is left exactly as it is.
    if (is_of_others(directory)) {
        return fail(Errc::directory_not_ours, directory + " holds files and is no data directory");
    }
    int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return posix_error("open", path, errno);
    DirectoryLock lock(descriptor);
    int result = 0;
    do {
        result = ::flock(descriptor, LOCK_EX | LOCK_NB);
    } while (result < 0 && errno == EINTR);
    if (result < 0 && errno == EWOULDBLOCK) {
        return fail(Errc::directory_in_use,
                    "the data directory " + directory + " is held by " + holder(descriptor));
    }
    if (result < 0) return posix_error("lock", path, errno);
    // For people only: the lock holds without it, so a full disk is no reason to stop here.
    std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(descriptor, 0) == 0) {
        static_cast<void>(::pwrite(descriptor, pid.data(), pid.size(), 0) > 0);
    }
    return lock;
}

DirectoryLock::~DirectoryLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace quorate::storage
