#pragma once

#include "storage/posix_files.hpp"
#include "tests/storage/fast_directory.hpp"
#include "tests/storage/log_store_fixture.hpp"

namespace quorate::storage {

// The real thing: threads, files, WiredTiger.
class DiskUnderTest final : public LogStoreUnderTest {
 public:
    explicit DiskUnderTest(LogOptions options = small_files()) : options_(std::move(options)) {
        files = PosixFiles::open(directory.path()).value();
        open();
    }

    LogStore& store() override { return *disk; }
    void reopen() override {
        disk.reset();
        open();
    }
    // A while is short, so that one with nothing to do is soon known.
    bool drive() override { return executor.wait_and_run(std::chrono::milliseconds(20)); }
    void open() {
        auto opened = DiskLogStore::open(
            {.log = options_,
             .settled_directory = directory.path() + "/" + options_.directory + "/settled",
             .settled_cache_bytes = 8 * 1024 * 1024},
            *files, [](const Error& error) { ADD_FAILURE() << to_string(error); });
        ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
        disk = std::move(*opened);
    }

    FastDirectory directory;
    std::unique_ptr<PosixFiles> files;
    std::unique_ptr<DiskLogStore> disk;

 private:
    LogOptions options_;
};

}  // namespace quorate::storage
