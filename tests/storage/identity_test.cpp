#include "storage/identity.hpp"

#include "host/base/log.hpp"
#include "storage/posix_files.hpp"
#include "tests/storage/temporary_directory.hpp"
#include "tests/support/sim_files.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

namespace quorate::storage {
namespace {

using ::testing::HasSubstr;

const Identity alpha{.cluster = "prod", .host = "alpha", .incarnation = 0x1234};

// What `run` returns, run in a process of its own.
int in_a_child(const std::function<int()>& run) {
    pid_t child = ::fork();
    if (child == 0) ::_exit(run());
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void put(Files& files, const std::string& path, std::string_view text) {
    ASSERT_TRUE(files.remove(path).has_value());
    auto file = files.open(path, Files::Mode::create_new).value();
    ByteView part = as_bytes(text);
    ASSERT_TRUE(file->write_at(0, {&part, 1}).has_value());
    ASSERT_TRUE(file->sync().has_value());
    ASSERT_TRUE(files.sync_directory("").has_value());
}

Result<ClaimedDirectory> claim(Files& files, std::uint64_t incarnation = 0x1234) {
    return claim_directory(files, "prod", "alpha", incarnation);
}

void make(Files& files) {
    auto claimed = claim(files);
    ASSERT_TRUE(claimed.has_value()) << to_string(claimed.error());
    ASSERT_TRUE(claimed->is_new);
    ASSERT_TRUE(finish_directory(files, claimed->identity).has_value());
}

TEST(DirectoryLock, keeps_a_second_process_out_and_names_the_first) {
    TemporaryDirectory directory;
    auto lock = DirectoryLock::take(directory.path());
    ASSERT_TRUE(lock.has_value()) << to_string(lock.error());
    std::string first = "process " + std::to_string(::getpid());
    EXPECT_EQ(in_a_child([&] {
                  auto second = DirectoryLock::take(directory.path());
                  if (second.has_value() || second.error().code != Errc::directory_in_use) return 1;
                  return second.error().what.ends_with("is held by " + first) ? 0 : 2;
              }),
              0);
}

TEST(DirectoryLock, is_free_again_when_its_holder_is_gone_however_it_ended) {
    TemporaryDirectory directory;
    EXPECT_EQ(in_a_child([&] {
                  auto lock = DirectoryLock::take(directory.path());
                  ::_exit(lock.has_value() ? 0 : 1);  // no destructor runs
                  return 0;
              }),
              0);
    EXPECT_TRUE(DirectoryLock::take(directory.path()).has_value());
    EXPECT_TRUE(DirectoryLock::take(directory.path()).has_value());
}

TEST(DirectoryLock, does_not_touch_a_directory_of_somebody_else) {
    TemporaryDirectory directory;
    auto files = PosixFiles::open(directory.path()).value();
    put(*files, "thesis.pdf", "x");
    auto lock = DirectoryLock::take(directory.path());
    ASSERT_FALSE(lock.has_value());
    EXPECT_EQ(lock.error().code, Errc::directory_not_ours);
    EXPECT_EQ(files->list("").value(), std::vector<std::string>{"thesis.pdf"});
}

TEST(DirectoryLock, removed_by_hand_is_made_again_in_a_directory_of_ours) {
    TemporaryDirectory directory;
    auto files = PosixFiles::open(directory.path()).value();
    make(*files);
    ASSERT_TRUE(files->remove("lock").has_value());
    EXPECT_TRUE(DirectoryLock::take(directory.path()).has_value());
}

TEST(DirectoryLock, says_why_a_directory_cannot_be_written) {
    TemporaryDirectory directory;
    ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
    int result = in_a_child([&] {
        if (::geteuid() == 0 && ::setuid(65534) != 0) return 3;  // the superuser may write anywhere
        auto lock = DirectoryLock::take(directory.path());
        if (lock.has_value() || lock.error().code != Errc::io) return 1;
        return lock.error().what.ends_with("/lock: Permission denied") ? 0 : 2;
    });
    ::chmod(directory.path().c_str(), 0755);
    EXPECT_EQ(result, 0);
}

TEST(Identity, comes_back_as_it_was_written) {
    sim::SimFiles files(1);
    make(files);
    auto again = claim(files, 0x9999);
    ASSERT_TRUE(again.has_value()) << to_string(again.error());
    EXPECT_FALSE(again->is_new);
    EXPECT_EQ(again->identity, alpha);
    EXPECT_EQ(files.all_files(), (std::vector<std::string>{"identity", "identity.bak"}));
    EXPECT_THAT(files.contents("identity"),
                HasSubstr("host = alpha\nincarnation = 0000000000001234\n"));
}

TEST(Identity, of_another_host_or_cluster_is_refused_and_both_are_named) {
    sim::SimFiles files(1);
    make(files);
    for (auto [cluster, host] : {std::pair("prod", "beta"), std::pair("test", "alpha")}) {
        auto claimed = claim_directory(files, cluster, host, 1);
        ASSERT_FALSE(claimed.has_value());
        EXPECT_EQ(claimed.error().code, Errc::identity_mismatch);
        EXPECT_THAT(claimed.error().what, HasSubstr("belongs to host 'alpha' of cluster 'prod'"));
        EXPECT_THAT(claimed.error().what, HasSubstr("this is host '" + std::string(host) +
                                                    "' of cluster '" + cluster + "'"));
    }
    EXPECT_TRUE(claim(files).has_value());
}

TEST(Identity, survives_any_flipped_bit_in_one_of_its_copies) {
    std::vector<std::string> repaired;
    log::set_sink([&](const log::Event& event) { repaired.emplace_back(event.name); });
    std::mt19937_64 random(3);
    sim::SimFiles files(1);
    make(files);
    std::string right = files.contents("identity");
    for (const char* name : {"identity", "identity.bak"}) {
        for (std::uint64_t at = 0; at < files.size_of(name); ++at) {
            files.flip_bit(name, at, static_cast<unsigned>(random() % 8));
            repaired.clear();
            auto claimed = claim(files);
            ASSERT_TRUE(claimed.has_value()) << at << ": " << to_string(claimed.error());
            EXPECT_EQ(claimed->identity, alpha);
            EXPECT_FALSE(claimed->is_new);
            EXPECT_EQ(repaired, std::vector<std::string>{"identity_repaired"}) << at;
            ASSERT_EQ(files.contents(name), right) << at;
        }
    }
    log::set_sink({});
}

TEST(Identity, is_restored_when_one_copy_is_missing) {
    for (const char* name : {"identity", "identity.bak"}) {
        sim::SimFiles files(1);
        make(files);
        ASSERT_TRUE(files.remove(name).has_value());
        EXPECT_EQ(claim(files).value().identity, alpha);
        EXPECT_TRUE(files.exists(name).value());
    }
}

TEST(Identity, damaged_in_both_copies_stops_the_host_and_nothing_is_lost) {
    sim::SimFiles files(1);
    make(files);
    put(files, "precious", "entries");
    files.flip_bit("identity", 40, 1);
    files.flip_bit("identity.bak", 40, 1);
    auto claimed = claim(files);
    ASSERT_FALSE(claimed.has_value());
    EXPECT_EQ(claimed.error().code, Errc::corrupt);
    EXPECT_EQ(files.contents("precious"), "entries");
}

TEST(Identity, that_differs_between_its_copies_is_not_guessed) {
    sim::SimFiles files(1);
    make(files);
    put(files, "identity.bak", encode({.cluster = "prod", .host = "alpha", .incarnation = 7}));
    EXPECT_EQ(claim(files).error().code, Errc::identity_mismatch);
}

TEST(Identity, of_a_newer_release_is_left_alone) {
    sim::SimFiles files(1);
    make(files);
    Identity newer = alpha;
    newer.format = Identity::format_now + 1;
    put(files, "identity", encode(newer));
    auto claimed = claim(files);
    ASSERT_FALSE(claimed.has_value());
    EXPECT_EQ(claimed.error().code, Errc::format_unknown);
    EXPECT_THAT(claimed.error().what, HasSubstr("has format 3, this release knows format 2"));
    EXPECT_EQ(files.contents("identity"), encode(newer));
}

TEST(Identity, is_not_given_to_a_directory_that_holds_other_files) {
    sim::SimFiles files(1);
    put(files, "lock", "12\n");
    put(files, "thesis.pdf", "x");
    auto claimed = claim(files);
    ASSERT_FALSE(claimed.has_value());
    EXPECT_EQ(claimed.error().code, Errc::directory_not_ours);
    EXPECT_THAT(claimed.error().what, HasSubstr("thesis.pdf"));
    EXPECT_EQ(files.all_files().size(), 2u);
}

TEST(Identity, of_arbitrary_bytes_is_refused) {
    std::string right = encode(alpha);
    for (std::size_t length = 0; length < right.size(); ++length) {
        EXPECT_FALSE(decode_identity(right.substr(0, length)).has_value()) << length;
    }
    EXPECT_FALSE(decode_identity(right + "\n").has_value());
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        std::mt19937_64 random(seed);
        std::string text = right;
        text[random() % text.size()] ^= static_cast<char>(1 << random() % 8);
        EXPECT_FALSE(decode_identity(text).has_value()) << "seed " << seed;
    }
    EXPECT_NE(random_incarnation(), random_incarnation());
}

// A host starts, builds its directory, writes something that it promises, and the power fails in
// each operation of it: the next start finds a new directory, or everything.
TEST(Identity, is_written_last_so_that_a_half_made_directory_is_begun_anew) {
    bool done = false;
    std::uint64_t operation = 1;
    for (; !done; ++operation) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            std::mt19937_64 random(operation * 100 + seed);
            sim::SimFiles files(random());
            auto start = [&]() -> Result<bool> {
                TRY(ClaimedDirectory claimed, claim(files));
                if (claimed.is_new) {
                    TRY(bool is_clean, files.exists("wal"));
                    EXPECT_FALSE(is_clean);
                    TRY_VOID(files.make_directory("wal"));
                    TRY(auto file, files.open("wal/1", Files::Mode::create_new));
                    ByteView part = as_bytes("log");
                    TRY_VOID(file->write_at(0, {&part, 1}));
                    TRY_VOID(file->sync());
                    TRY_VOID(files.sync_directory("wal"));
                    TRY_VOID(files.sync_directory(""));
                    TRY_VOID(finish_directory(files, claimed.identity));
                }
                return claimed.is_new;
            };
            files.fail_operation(operation, sim::SimFiles::Failing::from_then_on);
            done = start().has_value();
            files.crash(random);
            files.restart();
            files.heal();
            auto again = start();
            ASSERT_TRUE(again.has_value()) << "operation " << operation << " seed " << seed << ": "
                                           << to_string(again.error());
            EXPECT_TRUE(!done || !*again);
            EXPECT_EQ(files.contents("wal/1"), "log");
            EXPECT_EQ(claim(files).value().identity, alpha);
        }
    }
    EXPECT_GT(operation, 15u);
}

}  // namespace
}  // namespace quorate::storage
