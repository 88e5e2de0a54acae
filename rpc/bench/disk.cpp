#include "rpc/bench/disk.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

namespace quorate::bench {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t file_bytes = 64u << 20;  // then from its beginning again

class ScratchFile {
 public:
    explicit ScratchFile(const std::string& directory)
        : path_(fmt::format("{}/quorate-bench-{}", directory, ::getpid())) {}
    ~ScratchFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    ScratchFile(const ScratchFile&) = delete;

    Result<void> open(bool prewritten) {
        descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor_ < 0) return error("open");
        ::unlink(path_.c_str());  // gone with this process, however that ends
        if (!prewritten) return {};
        std::string zeros(1u << 20, '\0');
        for (std::size_t at = 0; at < file_bytes; at += zeros.size()) TRY_VOID(write(zeros, at));
        return ::fsync(descriptor_) == 0 ? Result<void>() : error("fsync");
    }
    Result<void> append(const std::string& batch, std::size_t at) {
        TRY_VOID(write(batch, at));
        return ::fdatasync(descriptor_) == 0 ? Result<void>() : error("fdatasync");
    }

 private:
    Result<void> write(const std::string& bytes, std::size_t at) {
        ssize_t done = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
        return done == static_cast<ssize_t>(bytes.size()) ? Result<void>() : error("write");
    }
    Error error(const char* what) const {
        return fail(Errc::io, fmt::format("{} {}: {}", what, path_, std::strerror(errno)),
                    "choose a directory on the disk in question with --dir");
    }

    std::string path_;
    int descriptor_ = -1;
};

}  // namespace

Result<DiskFigures> test_disk(const DiskTest& test) {
    ScratchFile file(test.directory);
    TRY_VOID(file.open(test.prewritten));
    std::string batch(test.batch_bytes, 'q');
    DiskFigures figures;
    auto begin = Steady::now();
    auto now = begin;
    for (std::size_t at = 0; now - begin < test.length; at += batch.size()) {
        if (test.prewritten && at + batch.size() > file_bytes) at = 0;
        TRY_VOID(file.append(batch, at));
        auto then = std::exchange(now, Steady::now());
        figures.latency.add(static_cast<std::uint64_t>((now - then) / std::chrono::nanoseconds(1)));
    }
    figures.seconds = std::chrono::duration<double>(now - begin).count();
    return figures;
}

}  // namespace quorate::bench
