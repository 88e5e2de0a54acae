#include "storage/posix_files.hpp"

#include "tests/storage/files_contract.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <filesystem>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quorate::storage {
namespace {

struct PosixOwner {
    TemporaryDirectory directory;
    std::unique_ptr<PosixFiles> files = PosixFiles::open(directory.path() + "/root").value();
};

INSTANTIATE_TEST_SUITE_P(PosixFiles, FilesContract,
                         ::testing::Values(FilesKind{
                             "posix",
                             [] {
                                 auto owner = std::make_shared<PosixOwner>();
                                 return FilesUnderTest{owner, owner->files.get()};
                             }}),
                         [](const auto& suite) { return suite.param.name; });

TEST(PosixFiles, makes_the_root_and_its_parents_for_the_owner_only) {
    TemporaryDirectory directory;
    auto files = PosixFiles::open(directory.path() + "/x/y/");
    ASSERT_TRUE(files.has_value());
    EXPECT_EQ((*files)->root(), directory.path() + "/x/y");
    struct stat status {};
    ASSERT_EQ(::stat((directory.path() + "/x").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST(PosixFiles, errors_name_the_path_and_the_systems_reason) {
    TemporaryDirectory directory;
    auto files = PosixFiles::open(directory.path()).value();
    EXPECT_EQ(files->open("missing", Files::Mode::read).error().what,
              "cannot open " + directory.path() + "/missing: No such file or directory");
}

TEST(PosixFiles, a_root_that_is_a_file_is_refused) {
    TemporaryDirectory directory;
    auto files = PosixFiles::open(directory.path()).value();
    ASSERT_TRUE(files->open("file", Files::Mode::create_new).has_value());
    auto refused = PosixFiles::open(directory.path() + "/file");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::io);
}

// In a child, because a limit on file sizes holds for the whole process. Past it a write first
// comes up short, which must be carried on with, and then fails.
TEST(PosixFiles, a_short_write_is_carried_on_and_its_failure_reported) {
    TemporaryDirectory directory;
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::signal(SIGXFSZ, SIG_IGN);
        rlimit limit{5000, 5000};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
        auto file = PosixFiles::open(directory.path()).value()->open("a", Files::Mode::create_new);
        std::string text(8000, 'x');
        ByteView parts[] = {as_bytes(text).first(3000), as_bytes(text).subspan(3000)};
        auto written = (*file)->write_at(0, parts);
        bool whole = (*file)->size().value() == 5000;
        ::_exit(!written.has_value() && written.error().code == Errc::io && whole ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(PosixFiles, a_full_device_is_disk_full) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
    TemporaryDirectory directory;
    std::filesystem::create_symlink("/dev/full", directory.path() + "/full");
    auto file = PosixFiles::open(directory.path()).value()->open("full", Files::Mode::read_write);
    ASSERT_TRUE(file.has_value());
    ByteView part = as_bytes("x");
    EXPECT_EQ((*file)->write_at(0, {&part, 1}).error().code, Errc::disk_full);
}

}  // namespace
}  // namespace quorate::storage
