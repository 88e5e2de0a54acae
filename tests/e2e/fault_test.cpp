#include "tests/e2e/cli_fixture.hpp"
#include "tests/support/wait_until.hpp"

#include <algorithm>
#include <sstream>

// A machine that throws, as its operator meets it: said everywhere, repaired by installing a build,
// and no obstacle to deleting the group.
namespace quorate::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FaultTest : public ::testing::Test {
 protected:
    FaultTest() {
        cli.up();
        broken = install("bank_broken");
    }

    // The build's SHA-256.
    std::string install(const std::string& name) {
        auto installed =
            cli.list({"plugin", "install", std::string(BANK_PLUGINS) + "/" + name + ".so"});
        EXPECT_EQ(installed.size(), 3u);
        return text_of(installed.at(0), "build");
    }
    boost::json::array members(const std::string& group) {
        return cli.list({"member", "list", group, "--hash"});
    }
    void await_state(const std::string& group, const std::string& state) {
        wait_until(30s, [&]() -> std::string {
            auto all = members(group);
            bool reached = all.size() == 3 && std::ranges::all_of(all, [&](const auto& member) {
                               return text_of(member, "state") == state;
                           });
            return reached ? "" : boost::json::serialize(all);
        });
    }
    // A group of the broken build with 5 in it, which a command has stopped on every member.
    void make_faulted(const std::string& group) {
        cli.ok({"group", "create", group, "--plugin", broken.substr(0, 12), "--timeout", "20s"});
        wait_until(20s, [&] {
            Ran ran = cli({"submit", group, "deposit", "5"});
            return ran.code == 0 ? std::string() : ran.err;
        });
        before = std::stoull(cli.ok({"query", group, "balance"}));
        auto error = cli.error({"submit", group, "boom"}, 4);
        EXPECT_EQ(error.at("name"), "plugin_fault");
        EXPECT_EQ(error.at("outcome"), "unknown");
        EXPECT_THAT(std::string(error.at("message").as_string()),
                    AllOf(HasSubstr("group '" + group + "'"), HasSubstr("at entry"),
                          HasSubstr("boom"), HasSubstr(broken.substr(0, 12))));
        EXPECT_THAT(std::string(error.at("hint").as_string()), HasSubstr("in the log"));
        await_state(group, "faulted");
    }
    // Every member runs this build, and all are in the same state.
    void await_equal(const std::string& group, const std::string& build) {
        await_state(group, "running");
        wait_until(20s, [&]() -> std::string {
            auto all = members(group);
            for (const auto& member : all) {
                for (const char* key : {"outcomeHash", "stateHash", "appliedIndex"}) {
                    if (member.at(key) != all[0].at(key)) return boost::json::serialize(all);
                }
                if (text_of(member.at("machine"), "build") != build) {
                    return text_of(member, "host") + " runs " +
                           text_of(member.at("machine"), "build") + ", not " + build;
                }
            }
            return {};
        });
    }
    void expect_repaired(const std::string& group, const std::string& build) {
        await_equal(group, build);
        EXPECT_EQ(cli.ok({"query", group, "balance"}), std::to_string(before + 1000) + "\n");
        EXPECT_THAT(cli.ok({"group", "show", group}), HasSubstr(build));
        EXPECT_THAT(cli.ok({"member", "show", group, "h2"}), HasSubstr(build));
        EXPECT_EQ(cli.ok({"submit", group, "deposit", "1"}), std::to_string(before + 1001) + "\n");
    }

    Cli cli;
    std::string broken;
    std::uint64_t before = 0;  // in the account
};

TEST_F(FaultTest, is_repaired_by_any_build_that_runs_the_machine_version_of_the_group) {
    // The same version of the plugin with other bytes, the next one, and one with a newer machine.
    std::string build;
    for (const std::string name : {"bank_same", "bank_next", "bank_newer"}) {
        SCOPED_TRACE(name);
        make_faulted(name);
        EXPECT_EQ(cli.error({"submit", name, "deposit", "1"}, 5).at("name"), "plugin_fault");
        build = install(name);
        expect_repaired(name, build);
    }
    // A host that starts again begins with the build that got past it.
    cli.ok({"dev", "kill", "h2"});
    cli.ok({"dev", "restart", "h2", "--timeout", "20s"});
    await_equal("bank_newer", build);
}

TEST_F(FaultTest, leaves_the_tables_that_show_it_readable) {
    make_faulted("shown");
    for (const Words& words :
         {Words{"group", "list"}, Words{"member", "list", "shown", "--hash"}, Words{"overview"}}) {
        SCOPED_TRACE(words.front());
        std::string text = cli.ok(words);
        auto below = text.find("\nshown@h1: ");
        ASSERT_NE(below, std::string::npos) << text;
        EXPECT_THAT(text.substr(below), AllOf(HasSubstr("boom"), HasSubstr("\nshown@h3: ")));
        std::string table = text.substr(0, below);
        EXPECT_THAT(table, AllOf(HasSubstr("faulted"), Not(HasSubstr("boom")))) << text;
        std::istringstream lines(text.substr(below + 1));
        for (std::string line; std::getline(lines, line);) {
            EXPECT_TRUE(line.starts_with("shown@h")) << "broken in two: " << text;
        }
    }
    auto groups = cli.list({"group", "list"});
    for (const auto& group : groups) {
        if (text_of(group, "name") != "shown") continue;
        EXPECT_EQ(text_of(group, "state"), "faulted");
        EXPECT_EQ(group.at("troubles").as_array().size(), 3u);
    }
    EXPECT_THAT(cli.ok({"group", "show", "shown"}), HasSubstr("\ntrouble   shown@h2: "));
}

TEST_F(FaultTest, does_not_keep_its_group_from_being_deleted) {
    make_faulted("doomed");
    EXPECT_EQ(cli.ok({"group", "delete", "doomed", "--yes", "--timeout", "20s"}),
              "group doomed deleted\n");
    EXPECT_THAT(cli.ok({"group", "list"}), Not(HasSubstr("doomed")));
    cli.ok({"group", "create", "doomed", "--plugin", broken.substr(0, 12), "--timeout", "20s"});
}

}  // namespace
}  // namespace quorate::testing
