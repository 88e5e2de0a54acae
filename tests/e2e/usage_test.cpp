#include "tests/e2e/cli_fixture.hpp"

// What `quorate` says to wrong words, without any host.
namespace quorate::testing {
namespace {

using ::testing::HasSubstr;

TEST(Usage, unknown_verbs_and_options_are_wrong_usage) {
    Cli cli;
    for (const Words& words :
         {Words{}, Words{"frobnicate"}, Words{"group"}, Words{"group", "frobnicate"},
          Words{"submit"}, Words{"submit", "demo"}, Words{"group", "list", "--frobnicate"},
          Words{"member", "add", "demo"}, Words{"group", "create", "demo"}}) {
        Ran ran = cli(words);
        EXPECT_EQ(ran.code, 2) << (words.empty() ? "nothing" : words.back()) << ran.out << ran.err;
        EXPECT_THAT(ran.err, HasSubstr("error QR-4003 request_invalid: "));
        EXPECT_THAT(ran.err, HasSubstr("--help`"));
        EXPECT_EQ(cli.error(words, 2).at("name"), "request_invalid");
    }
}

TEST(Usage, what_was_probably_meant_is_said) {
    Cli cli;
    EXPECT_THAT(cli({"grop", "list"}).err, HasSubstr("'quorate grop'; did you mean 'group'?"));
    EXPECT_THAT(cli({"group", "lsit"}).err,
                HasSubstr("'quorate group lsit'; did you mean 'list'?"));
    EXPECT_THAT(cli({"group", "list", "--endpont", "x"}).err,
                HasSubstr("no option '--endpont'; did you mean '--endpoint'?"));
    EXPECT_THAT(cli({"group", "list", "demo"}).err, HasSubstr("'demo' is one argument too many"));
    EXPECT_THAT(cli({"member"}).err, HasSubstr("needs one of: list, show, add, remove"));
    EXPECT_THAT(cli({"frobnicate"}).err, ::testing::Not(HasSubstr("did you mean")));
}

TEST(Usage, values_that_make_no_sense_are_refused_by_name) {
    Cli cli;
    EXPECT_THAT(cli.error({"query", "demo", "get", "a", "--read", "fast"}, 2)
                    .at("message")
                    .as_string()
                    .c_str(),
                HasSubstr("--read fast"));
    EXPECT_THAT(cli.error({"query", "demo", "get", "a", "--at-least", "x"}, 2)
                    .at("message")
                    .as_string()
                    .c_str(),
                HasSubstr("--at-least x"));
    EXPECT_EQ(cli.error({"host", "list", "--timeout", "soon"}, 2).at("name"), "request_invalid");
    EXPECT_THAT(cli({"host", "list", "-o", "xml"}).err, HasSubstr("--output: xml"));
    EXPECT_EQ(cli.error({"host", "list", "--endpoint", "nonsense"}, 2).at("name"),
              "address_invalid");
    EXPECT_EQ(cli.error({"member", "add", "demo", "h1", "--vote", "perhaps"}, 2).at("name"),
              "request_invalid");
}

TEST(Usage, errors_are_said_to_people_with_what_to_do) {
    Cli cli;
    Ran ran = cli({"group", "delete", "demo"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_THAT(ran.err, HasSubstr("error QR-4003 request_invalid: "));
    EXPECT_THAT(ran.err, HasSubstr("\n  fix: say so with --yes\n"));
    EXPECT_THAT(ran.err, HasSubstr("\n  more: quorate explain QR-4003\n"));
}

TEST(Usage, every_error_number_is_explained_by_number_and_by_name) {
    Cli cli;
    EXPECT_THAT(cli.ok({"explain", "QR-2103"}), HasSubstr("no_leader"));
    EXPECT_THAT(cli.ok({"explain", "2103"}), HasSubstr("no_leader"));
    EXPECT_EQ(text_of(cli.data({"explain", "directory_in_use"}), "code"), "QR-1102");
    EXPECT_THAT(cli.ok({"explain", "qr-2103"}), HasSubstr("exit code 4"));
    for (const char* wrong : {"QR-1", "QR-2103x", "2103x", "", "QR-"}) {
        EXPECT_EQ(cli.error({"explain", wrong}, 2).at("name"), "request_invalid") << wrong;
    }
    EXPECT_THAT(cli({"explain", "no_leadr"}).err, HasSubstr("did you mean 'no_leader'?"));
}

// docs/operations.md's table: what may succeed later is not an unexpected failure.
TEST(Usage, an_exit_code_says_whether_a_retry_may_help) {
    Cli cli;
    for (const auto& [code, exit] :
         std::vector<std::pair<std::string, int>>{{"request_invalid", 2},
                                                  {"unreachable", 3},
                                                  {"not_leader", 4},
                                                  {"no_leader", 4},
                                                  {"member_recovering", 5},
                                                  {"member_stopped", 5},
                                                  {"snapshot_busy", 5},
                                                  {"transfer_failed", 5},
                                                  {"cancelled", 5},
                                                  {"no_such_group", 6},
                                                  {"internal", 1}}) {
        EXPECT_EQ(cli.data({"explain", code}).at("exitCode"), exit) << code;
    }
}

TEST(Usage, words_that_look_like_options_come_after_two_dashes) {
    Cli cli;
    ReservedPort nobody;
    for (const char* verb : {"submit", "query"}) {
        Ran ran = cli({verb, "demo", "put", "k", "--frobnicate"});
        EXPECT_EQ(ran.code, 2);
        EXPECT_THAT(ran.err, HasSubstr("has no option '--frobnicate'"));
        EXPECT_THAT(ran.err, HasSubstr("quorate " + std::string(verb) + " GROUP -- WORDS"));
        EXPECT_THAT(cli({verb, "demo", "--"}).err, HasSubstr("words is required"));
        // Were they options, the answer would be JSON.
        Words words{verb, "--endpoint", nobody.address(), "--timeout", "500ms", "--"};
        words.insert(words.end(), {"demo", "put", "-o", "json", "--timeout"});
        EXPECT_THAT(cli(words).err, ::testing::StartsWith("error QR-4001 unreachable"));
    }
    EXPECT_THAT(cli({"group", "list", "--", "-x"}).err, HasSubstr("'-x'"));
}

TEST(Usage, help_is_there_for_everything) {
    Cli cli;
    for (const char* noun :
         {"dev", "host", "group", "member", "leader", "plugin", "snapshot", "submit", "query"}) {
        EXPECT_THAT(cli.ok({noun, "--help"}), HasSubstr("Usage")) << noun;
    }
    EXPECT_THAT(cli.ok({"--help"}), HasSubstr("submit"));
    EXPECT_THAT(cli.ok({"--help"}), HasSubstr("--timeout DURATION=5s"));
    EXPECT_THAT(cli.ok({"--help"}), HasSubstr("FORMAT:{table,json}=table"));
    std::string query = cli.ok({"query", "--help"});
    EXPECT_THAT(query, HasSubstr("--read local|leader|linearizable=linearizable"));
    EXPECT_THAT(query, HasSubstr("--at-least INDEX=0"));
    EXPECT_THAT(query, HasSubstr("Also of every command: --endpoint"));
    EXPECT_EQ(cli.ok({"--version"}), cli.ok({"version"}));
}

TEST(Usage, a_host_that_does_not_answer_is_exit_code_3_and_nothing_was_applied) {
    Cli cli;
    ReservedPort nobody;
    auto error = cli.error(
        {"submit", "demo", "put", "a", "1", "--endpoint", nobody.address(), "--timeout", "500ms"},
        3);
    EXPECT_EQ(error.at("name"), "unreachable");
    EXPECT_EQ(error.at("outcome"), "not_applied");
    EXPECT_TRUE(error.at("retryable").as_bool());
    Words rest{"--endpoint", nobody.address(), "--timeout", "500ms"};
    auto said = [&](Words words) {
        words.insert(words.end(), rest.begin(), rest.end());
        return cli(words).err;
    };
    EXPECT_THAT(said({"submit", "demo", "put", "a", "1"}), HasSubstr("\n  outcome: not applied"));
    EXPECT_THAT(said({"leader", "transfer", "demo"}), HasSubstr("\n  outcome: not applied"));
    EXPECT_THAT(said({"query", "demo", "get", "a"}), ::testing::Not(HasSubstr("outcome")));
}

}  // namespace
}  // namespace quorate::testing
