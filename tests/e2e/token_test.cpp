#include "tests/e2e/cli_fixture.hpp"
#include "tests/support/process.hpp"

#include <csignal>
#include <fstream>

// A host that asks its clients for a token.
namespace quorate::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* token = "battery-staple";

class Token : public ::testing::Test {
 protected:
    Token() {
        std::string config = scratch_.path() + "/host.toml";
        std::ofstream(config) << "[host]\nname = \"h1\"\ndata_dir = \"" << scratch_.path()
                              << "/data\"\n[listen]\nclient = \"" << port_.address()
                              << "\"\npeer = \"127.0.0.1:0\"\ntoken = \"" << token << "\"\n";
        NotifySocket notify(scratch_.path() + "/notify");
        host_.emplace(Command{.words = {quorated_program(), "--config", config},
                              .environment = {"NOTIFY_SOCKET=" + notify.path()},
                              .out = scratch_.path() + "/log",
                              .err = scratch_.path() + "/log"});
        if (!notify.wait_for("READY=1", *host_, 60s)) {
            throw std::runtime_error(read_text(scratch_.path() + "/log"));
        }
    }

    Ran quorate(Words words, std::vector<std::string> environment = {}) const {
        words.insert(words.begin(), {quorate_program(), "--endpoint", port_.address()});
        return run(std::move(words), std::move(environment));
    }

    std::optional<Process> host_;

 private:
    ScratchDirectory scratch_;
    ReservedPort port_;
};

TEST_F(Token, who_brings_the_right_one_is_let_in) {
    Ran by_variable = quorate({"host", "list"}, {std::string("QUORATE_TOKEN=") + token});
    EXPECT_EQ(by_variable.code, 0) << by_variable.err;
    EXPECT_THAT(by_variable.out, HasSubstr("h1"));
    Ran by_option = quorate({"host", "list", "--token", token}, {"QUORATE_TOKEN=another-one"});
    EXPECT_EQ(by_option.code, 0) << by_option.err;
}

TEST_F(Token, who_brings_none_or_a_wrong_one_is_told_what_to_do_at_once) {
    for (const Words& words :
         {Words{"host", "list"}, Words{"submit", "demo", "put", "a", "1", "--token", "battery"},
          Words{"group", "list", "--token", std::string(token) + "s"}}) {
        Ran ran = quorate(words, {"QUORATE_TOKEN="});
        EXPECT_EQ(ran.code, 5) << words[0];
        EXPECT_THAT(ran.err, HasSubstr("QR-4009 access_denied"));
        EXPECT_THAT(ran.err, HasSubstr("QUORATE_TOKEN"));
    }
    EXPECT_TRUE(host_->running());
}

}  // namespace
}  // namespace quorate::testing
