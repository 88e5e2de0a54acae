#include "tests/e2e/cli_fixture.hpp"

#include <filesystem>

// The sample client that `./dev demo` and its proofs count with.
namespace quorate::testing {
namespace {

using ::testing::HasSubstr;

class DemoClient : public ::testing::Test {
 protected:
    DemoClient() { cli.up({"--hosts", "1"}); }

    Ran client(const Words& words) {
        auto program = std::filesystem::path(quorate_program()).parent_path() / "demo_client";
        Words all{program.string(), "--endpoint", endpoint(), "--acked", acked()};
        all.insert(all.end(), words.begin(), words.end());
        return run(all, {}, 60s);
    }
    std::string endpoint() { return text_of(cli.list({"dev", "status"})[0], "client"); }
    std::string acked() const { return scratch.path() + "/acked.txt"; }

    Cli cli;
    ScratchDirectory scratch;
};

TEST_F(DemoClient, finds_again_what_was_acknowledged) {
    Ran written = client({"write", "--count", "20"});
    EXPECT_EQ(written.code, 0) << written.out << written.err;
    EXPECT_THAT(written.out, HasSubstr("20 sent, 20 acknowledged, 0 rejected, 0 refused"));
    Ran verified = client({"verify"});
    EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
    EXPECT_THAT(verified.out, HasSubstr("20 acknowledged commands found, 0 lost"));
}

TEST_F(DemoClient, takes_a_command_again_for_applied_twice) {
    EXPECT_EQ(client({"write", "--count", "2"}).code, 0);
    Ran again = client({"write", "--count", "2"});
    EXPECT_EQ(again.code, 1);
    EXPECT_THAT(again.out, HasSubstr("2 commands were applied twice"));
}

TEST_F(DemoClient, takes_a_rejection_for_neither_acknowledged_nor_applied_twice) {
    Ran written = client({"write", "--count", "3", "--prefix", std::string(1024, 'k')});
    EXPECT_EQ(written.code, 1);
    EXPECT_THAT(written.out, HasSubstr("3 sent, 0 acknowledged, 3 rejected, 0 refused"));
    EXPECT_THAT(written.out, HasSubstr("rejected (1): a key has 1 to 1024 bytes"));
    EXPECT_THAT(written.out, ::testing::Not(HasSubstr("applied twice")));
    EXPECT_EQ(read_text(acked()), "");
}

}  // namespace
}  // namespace quorate::testing
