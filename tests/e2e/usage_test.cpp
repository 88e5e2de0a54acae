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
    EXPECT_EQ(cli.error({"explain", "QR-1"}, 2).at("name"), "request_invalid");
}

TEST(Usage, help_is_there_for_everything) {
    Cli cli;
    for (const char* noun :
         {"dev", "host", "group", "member", "leader", "plugin", "snapshot", "submit", "query"}) {
        EXPECT_THAT(cli.ok({noun, "--help"}), HasSubstr("Usage")) << noun;
    }
    EXPECT_THAT(cli.ok({"--help"}), HasSubstr("submit"));
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
}

}  // namespace
}  // namespace quorate::testing
