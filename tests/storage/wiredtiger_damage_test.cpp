#include "storage/wiredtiger_settled.hpp"
#include "tests/storage/disk_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/resource.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

// WiredTiger 3.2.1 leaks some of what it holds when it refuses a damaged directory or finds a table
// damaged. Only in these tests, and only there: its frames have no frame pointers, hence the slow
// unwinding, so that a cursor of ours which nobody closes is still found.
extern "C" const char* __asan_default_options() {
    return "fast_unwind_on_malloc=0";
}
extern "C" const char* __lsan_default_suppressions() {
    return "leak:^wiredtiger_open$\nleak:^__wt_verify$\n";
}
#endif

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t last = 300;

void flip_bit(const fs::path& path, std::uint64_t at, unsigned bit) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    char byte = 0;
    file.get(byte);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ static_cast<char>(1U << bit)));
}

// A store on the real disk with entries that have settled, closed in order, and copies of it.
class WiredTigerDamage : public ::testing::Test {
 protected:
    void SetUp() override {
        DiskUnderTest host;
        std::vector<std::unique_ptr<GroupOf>> groups;
        for (std::uint64_t id = 1; id <= 3; ++id) {
            groups.push_back(std::make_unique<GroupOf>(host, id));
            ASSERT_TRUE(groups.back()->create("registration " + std::to_string(id)).has_value());
            groups.back()->attach();
            raft::Store store;
            store.hard = raft::HardState{Term(id), MemberId(9)};
            groups.back()->write(std::move(store));
        }
        for (std::uint64_t i = 1; i <= last; ++i) {
            groups[0]->append(i, i, 1, 100);
            groups[1]->append(i, i, 1, 100);
        }
        for (auto& group : groups) ASSERT_TRUE(group->flush());
        fs::path copy_of_groups = fs::path(host.directory.path()) / "log/groups";
        for (int i = 0; i < 1000 && !fs::exists(copy_of_groups); ++i) host.drive();
        ASSERT_TRUE(fs::exists(copy_of_groups)) << "nothing has settled";
        host.disk.reset();
        copy(host.directory.path(), kept.path());
    }
    static void copy(const std::string& from, const std::string& to) {
        fs::remove_all(to);
        fs::copy(from, to, fs::copy_options::recursive);
    }
    // What a store made of this directory finds.
    struct Found {
        std::vector<RecoveredLog> logs;
        std::vector<std::string> findings;
    };
    Found open(DiskUnderTest& host) {
        host.open();
        return {.logs = host.disk->take_recovered(), .findings = host.disk->findings()};
    }
    void check(DiskUnderTest& host, Found found, const std::string& what) {
        SCOPED_TRACE(what);
        ASSERT_EQ(found.logs.size(), 3u);
        for (const RecoveredLog& log : found.logs) {
            std::uint64_t id = log.group.value();
            EXPECT_EQ(log.registration.text(), "registration " + std::to_string(id));
            EXPECT_EQ(log.hard, (raft::HardState{Term(id), MemberId(9)}));
            if (id == 3) {
                EXPECT_FALSE(log.damage) << "it has no entries";
                continue;
            }
            if (log.damage) {
                EXPECT_EQ(log.damage->promised, Index(last));
                EXPECT_FALSE(found.findings.empty());
                continue;
            }
            EXPECT_EQ(log.last, Index(last));
            GroupOf group(host, id);
            auto entries = group.read(1, last);
            ASSERT_TRUE(entries.has_value()) << to_string(entries.error());
            ASSERT_EQ(entries->size(), last);
            for (const raft::Entry& e : *entries) {
                ASSERT_EQ(e.payload.text(), GroupOf::payload(e.id.index.value(), 1, 100));
            }
        }
    }

    FastDirectory kept;
};

TEST_F(WiredTigerDamage, a_flipped_bit_in_any_of_its_files_is_harmless_or_said) {
    std::size_t said = 0;
    DiskUnderTest host;
    for (const auto& item : fs::directory_iterator(kept.path() + "/log/settled")) {
        std::uint64_t size = item.file_size();
        for (std::uint64_t sample = 0; sample < std::min<std::uint64_t>(size, 8); ++sample) {
            std::uint64_t at = size * sample / 8 + sample % 7;
            if (at >= size) continue;
            host.disk.reset();
            copy(kept.path(), host.directory.path());
            fs::path path =
                fs::path(host.directory.path()) / "log/settled" / item.path().filename();
            flip_bit(path, at, static_cast<unsigned>(at % 8));
            Found found = open(host);
            said += found.findings.empty() ? 0 : 1;
            check(host, found, path.filename().string() + " at " + std::to_string(at));
            if (HasFailure()) return;
        }
    }
    EXPECT_GT(said, 5u);
}

TEST_F(WiredTigerDamage, each_of_its_files_may_be_missing) {
    DiskUnderTest host;
    for (const auto& item : fs::directory_iterator(kept.path() + "/log/settled")) {
        host.disk.reset();
        copy(kept.path(), host.directory.path());
        fs::remove(fs::path(host.directory.path()) / "log/settled" / item.path().filename());
        check(host, open(host), item.path().filename().string() + " is missing");
        if (HasFailure()) return;
    }
}

TEST_F(WiredTigerDamage, the_whole_of_it_may_be_missing_and_what_is_left_of_it_is_kept) {
    DiskUnderTest host;
    host.disk.reset();
    copy(kept.path(), host.directory.path());
    fs::path entries = fs::path(host.directory.path()) / "log/settled/entries.wt";
    // In each block: some are free, and there it does no harm.
    for (std::uintmax_t at = 4096 + 64; at < fs::file_size(entries); at += 4096) {
        flip_bit(entries, at, 3);
    }
    Found found = open(host);
    check(host, found, "entries.wt");
    EXPECT_FALSE(found.findings.empty());
    EXPECT_TRUE(fs::exists(host.directory.path() + "/log/damaged/settled.1/entries.wt"));
    host.disk.reset();
    fs::remove_all(host.directory.path() + "/log/settled");
    found = open(host);
    ASSERT_EQ(found.logs.size(), 3u);
    EXPECT_FALSE(found.findings.empty());
}

TEST_F(WiredTigerDamage, damage_is_reported_at_each_start_until_it_is_repaired) {
    DiskUnderTest host;
    host.disk.reset();
    copy(kept.path(), host.directory.path());
    fs::remove_all(host.directory.path() + "/log/settled");
    open(host);
    host.disk.reset();
    Found again = open(host);
    EXPECT_TRUE(again.findings.empty());
    for (const RecoveredLog& log : again.logs) {
        EXPECT_EQ(log.damage.has_value(), log.group != GroupId(3));
        host.disk->repaired(log.group);
    }
    host.disk.reset();
    for (const RecoveredLog& log : open(host).logs) EXPECT_FALSE(log.damage);
}

// ---- sound, but in no state to be opened --------------------------------------------------------

// Lets this process open only so many files more, until its end.
class FewDescriptors {
 public:
    explicit FewDescriptors(rlim_t more) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit few = before_;
        few.rlim_cur =
            static_cast<rlim_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {})) + more;
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
    rlimit before_{};
};

TEST_F(WiredTigerDamage, a_log_that_cannot_be_opened_for_want_of_descriptors_is_left_as_it_is) {
    for (rlim_t more = 0; more < 16; ++more) {
        DiskUnderTest host;
        host.disk.reset();
        copy(kept.path(), host.directory.path());
        {
            FewDescriptors few(more);
            auto opened = DiskLogStore::open(
                {.log = small_files(), .settled_directory = host.directory.path() + "/log/settled"},
                *host.files, [](const Error&) {});
            if (opened.has_value()) {
                EXPECT_TRUE((*opened)->findings().empty());
            } else {
                EXPECT_NE(opened.error().code, Errc::corrupt);
            }
        }
        EXPECT_FALSE(fs::exists(host.directory.path() + "/log/damaged")) << more;
        Found found = open(host);
        EXPECT_TRUE(found.findings.empty()) << found.findings.front();
        for (const RecoveredLog& log : found.logs) EXPECT_FALSE(log.damage) << more;
        check(host, std::move(found), std::to_string(more));
    }
}

TEST_F(WiredTigerDamage, a_log_on_a_full_disk_is_not_opened_and_not_damaged) {
    DiskUnderTest host;
    host.disk.reset();
    copy(kept.path(), host.directory.path());
    std::string directory = host.directory.path() + "/log/settled";
    auto full = make_wiredtiger_home({.directory = directory, .min_free_bytes = ~0ull})->open();
    ASSERT_FALSE(full.has_value());
    EXPECT_EQ(full.error().code, Errc::disk_full);
    Found found = open(host);
    EXPECT_TRUE(found.findings.empty());
    check(host, std::move(found), "after the disk was full");
}

}  // namespace
}  // namespace quorate::storage
