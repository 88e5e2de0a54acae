#include "tests/e2e/cli_fixture.hpp"
#include "tests/support/wait_until.hpp"

#include <algorithm>

// Every verb of `quorate` against a cluster that is well: text for people, JSON for programs.
namespace quorate::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class Commands : public ::testing::Test {
 protected:
    Commands() { cli.up(); }

    void wait_for_leader(const std::string& group) {
        wait_until(20s, [&] {
            Ran ran = cli({"leader", "show", group});
            return ran.code == 0 ? std::string() : ran.err;
        });
    }

    Cli cli;
};

TEST_F(Commands, commands_and_queries_are_words_that_the_machine_declares) {
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "fruit", "apple"}), "created\n");
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "fruit", "pear"}), "replaced\n");
    EXPECT_EQ(cli.ok({"submit", "demo", "cas", "fruit", "pear", "plum"}), "swapped\n");
    EXPECT_EQ(cli.ok({"submit", "demo", "cas", "fruit", "pear", "fig"}),
              "mismatch: it holds plum\n");
    EXPECT_EQ(cli.ok({"query", "demo", "get", "fruit", "--read", "leader"}), "plum\n");
    EXPECT_EQ(cli.ok({"query", "demo", "get", "nothing"}), "(absent)\n");
    EXPECT_EQ(cli.ok({"query", "demo", "range"}), "fruit\tplum\n");
    EXPECT_EQ(cli.ok({"query", "demo", "count"}), "1\n");
    EXPECT_EQ(cli.ok({"submit", "demo", "delete", "fruit"}), "deleted\n");

    auto applied = cli.data({"submit", "demo", "put", "a", "1"});
    EXPECT_EQ(text_of(applied, "outcome"), "applied");
    EXPECT_EQ(text_of(applied, "text"), "created");
    EXPECT_EQ(text_of(applied, "replyHex"), "01");
    std::string index = boost::json::serialize(applied.at("index"));
    auto answer = cli.data({"query", "demo", "get", "a", "--read", "local", "--at-least", index});
    EXPECT_EQ(text_of(answer, "text"), "1");
    EXPECT_GE(answer.at("index").to_number<std::uint64_t>(), std::stoull(index));
    auto late =
        cli.error({"query", "demo", "get", "a", "--at-least", "999999", "--timeout", "1s"}, 4);
    EXPECT_EQ(late.at("name"), "deadline_exceeded");
    EXPECT_THAT(text_of(late, "message"), HasSubstr("entry 999999 to be applied (this member is"));
}

TEST_F(Commands,
       a_command_that_the_machine_rejects_is_applied_and_ends_with_an_exit_code_of_its_own) {
    Ran rejected = cli({"submit", "demo", "put", "", "x"});
    EXPECT_EQ(rejected.code, 7) << rejected.err;
    EXPECT_EQ(rejected.out, "rejected (1): a key has 1 to 1024 bytes\n");
    Ran as_json = cli({"submit", "demo", "put", "", "x", "-o", "json"});
    EXPECT_EQ(as_json.code, 7) << as_json.err;
    auto data = boost::json::parse(as_json.out).at("data");
    EXPECT_EQ(text_of(data, "outcome"), "applied");
    EXPECT_TRUE(data.at("rejected").as_bool());
    EXPECT_EQ(data.at("rejection").at("code"), 1);
    EXPECT_EQ(text_of(data.at("rejection"), "text"), "a key has 1 to 1024 bytes");
    auto taken = cli.data({"submit", "demo", "put", "a", "1"});
    EXPECT_FALSE(taken.at("rejected").as_bool());
    EXPECT_FALSE(taken.as_object().contains("rejection"));
}

TEST_F(Commands, words_may_look_like_options_or_anything) {
    cli.ok({"submit", "demo", "put", "k", "-5"});
    EXPECT_EQ(cli.ok({"query", "demo", "get", "k"}), "-5\n");
    for (const char* value : {"-5", "-v", "--read", "-o", "--", "++", "{}", "query", "\1x"}) {
        cli.ok({"submit", "demo", "--timeout", "20s", "put", "k", "--", value});
        EXPECT_EQ(cli.ok({"query", "--read", "leader", "--", "demo", "get", "k"}),
                  std::string(value) + "\n");
    }
    cli.ok({"submit", "demo", "put", "k", ""});
    EXPECT_EQ(cli.ok({"query", "demo", "get", "k"}), "");
    cli.ok({"submit", "demo", "--", "put", "--help", "shown"});
    EXPECT_EQ(cli.ok({"query", "demo", "get", "--", "--help"}), "shown\n");
    cli.ok({"submit", "demo", "put", "k", "++"});
    EXPECT_EQ(cli.ok({"query", "demo", "get", "k"}), "++\n");
}

TEST_F(Commands, a_plugin_is_installed_shown_and_runs_a_group_from_birth_to_death) {
    EXPECT_THAT(cli.ok({"plugin", "install", counter_plugin()}), HasSubstr("quorate.counter"));
    EXPECT_THAT(cli.ok({"plugin", "list"}), HasSubstr("h1,h2,h3"));
    EXPECT_EQ(cli.list({"plugin", "list"}).size(), 2u);
    EXPECT_THAT(cli.ok({"plugin", "show", "quorate.counter"}), HasSubstr("submit GROUP add"));
    auto kv = cli.list({"plugin", "show", "quorate.kv"});
    ASSERT_EQ(kv.size(), 1u);
    EXPECT_EQ(kv[0].at("hosts").as_array().size(), 3u);

    cli.ok({"group", "create", "visits", "quorate.counter", "--timeout", "20s"});
    wait_for_leader("visits");
    EXPECT_EQ(cli.ok({"submit", "visits", "add", "40"}), "40\n");
    EXPECT_EQ(cli.ok({"submit", "visits", "add", "2"}), "42\n");
    EXPECT_EQ(cli.list({"group", "list"}).size(), 2u);
    EXPECT_THAT(cli.ok({"group", "list"}), HasSubstr("visits"));
    EXPECT_THAT(cli.ok({"group", "show", "visits"}), HasSubstr("quorate.counter"));
    EXPECT_EQ(cli.error({"group", "create", "visits", "--plugin", "quorate.counter"}, 5).at("name"),
              "group_exists");
    EXPECT_EQ(cli.error({"group", "delete", "visits"}, 2).at("name"), "request_invalid");
    cli.ok({"group", "delete", "visits", "--yes", "--timeout", "20s"});
    EXPECT_EQ(cli.error({"submit", "visits", "add", "1"}, 6).at("name"), "no_such_group");
    EXPECT_EQ(cli.list({"group", "list"}).size(), 1u);
}

TEST_F(Commands, members_are_listed_with_the_hash_of_their_state) {
    for (int i = 0; i < 5; ++i) cli.ok({"submit", "demo", "put", "k" + std::to_string(i), "v"});
    std::string hash;
    wait_until(20s, [&]() -> std::string {
        auto members = cli.list({"member", "list", "demo", "--hash"});
        if (members.size() != 3) return "not three members";
        hash = text_of(members[0], "stateHash");
        bool equal = std::ranges::all_of(
            members, [&](const auto& m) { return text_of(m, "stateHash") == hash; });
        return equal && !hash.empty() ? "" : boost::json::serialize(members);
    });
    EXPECT_THAT(cli.ok({"member", "list", "demo", "--hash"}), HasSubstr(hash));
    EXPECT_THAT(cli.ok({"member", "show", "demo", "h2"}), HasSubstr("state hash    " + hash));
    EXPECT_EQ(text_of(cli.data({"member", "show", "demo", "h3"}), "host"), "h3");
    EXPECT_EQ(cli.error({"member", "show", "demo", "h9"}, 6).at("name"), "no_such_member");
    EXPECT_EQ(cli.error({"member", "add", "demo", "h9"}, 6).at("name"), "no_such_host");
    EXPECT_EQ(cli.error({"member", "add", "demo", "h1"}, 5).at("name"), "already_member");
    EXPECT_EQ(cli.error({"member", "remove", "demo", "h9"}, 6).at("name"), "not_member");
}

TEST_F(Commands, a_member_is_stopped_and_started_while_its_host_and_its_group_go_on) {
    wait_for_leader("demo");
    cli.ok({"submit", "demo", "put", "a", "1"});
    for (const char* host : {"h1", "h2", "h3"}) {
        EXPECT_THAT(cli.ok({"member", "stop", "demo", host, "--timeout", "20s"}),
                    HasSubstr("is stopped; its data stays"));
        cli.ok({"member", "stop", "demo", host});
        EXPECT_THAT(cli.ok({"member", "show", "demo", host}), HasSubstr("stopped"));
        EXPECT_EQ(cli.error({"leader", "elect", "demo", host}, 5).at("name"), "member_stopped");
        EXPECT_THAT(cli.ok({"query", "demo", "get", "a", "--timeout", "20s"}), HasSubstr("1"));
        cli.ok({"member", "start", "demo", host});
        EXPECT_EQ(cli.error({"member", "start", "demo", host}, 5).at("name"), "already_started");
        EXPECT_EQ(
            text_of(cli.data({"member", "restart", "demo", host, "--timeout", "20s"}), "host"),
            host);
        cli.ok({"leader", "elect", "demo", host});
    }
    EXPECT_EQ(cli.error({"member", "stop", "demo", "h9"}, 6).at("name"), "no_such_host");
    EXPECT_EQ(cli.error({"member", "start", "nobody", "h1"}, 6).at("name"), "no_such_group");
}

TEST_F(Commands, leadership_goes_where_it_is_sent) {
    wait_for_leader("demo");
    for (const char* host : {"h1", "h2", "h3"}) {
        std::string now = text_of(cli.data({"leader", "show", "demo"}), "leader");
        if (now == host) {
            Ran ran = cli({"leader", "transfer", "demo", "--to", host});
            EXPECT_EQ(ran.code, 0) << ran.err;
            EXPECT_THAT(ran.err, HasSubstr("leads already"));
            continue;
        }
        EXPECT_THAT(cli.ok({"leader", "transfer", "demo", "--to", host, "--timeout", "20s"}),
                    HasSubstr(host));
        EXPECT_EQ(text_of(cli.data({"leader", "show", "demo"}), "leader"), host);
    }
    EXPECT_EQ(cli.error({"leader", "transfer", "demo", "--to", "h9"}, 6).at("name"), "not_member");
}

TEST_F(Commands, snapshots_are_taken_and_listed) {
    cli.ok({"submit", "demo", "put", "a", "1"});
    EXPECT_EQ(cli.list({"snapshot", "create", "demo", "--host", "h2"}).size(), 1u);
    EXPECT_EQ(cli.list({"snapshot", "create", "demo"}).size(), 3u);
    auto listed = cli.list({"snapshot", "list", "demo"});
    EXPECT_GE(listed.size(), 3u);
    for (const auto& snapshot : listed) EXPECT_EQ(text_of(snapshot, "machine"), "kv");
    EXPECT_THAT(cli.ok({"snapshot", "list", "demo"}), HasSubstr("kv v1"));
}

TEST_F(Commands, hosts_are_listed_and_pinged_and_the_cluster_is_seen_at_a_glance) {
    EXPECT_EQ(cli.list({"host", "list"}).size(), 3u);
    EXPECT_THAT(cli.ok({"host", "list"}), HasSubstr("h3"));
    EXPECT_THAT(cli.ok({"host", "ping"}), ContainsRegex("h[1-3] at .* answers in [0-9]+ us"));
    EXPECT_GT(cli.data({"host", "ping"}).at("roundTripMs").to_number<double>(), 0);
    EXPECT_THAT(cli.ok({"host", "ping", "h2"}), HasSubstr("h2 answers in"));
    EXPECT_EQ(cli.error({"host", "ping", "h9"}, 6).at("name"), "no_such_host");
    std::string overview = cli.ok({"overview"});
    EXPECT_THAT(overview, HasSubstr("cluster dev"));
    EXPECT_THAT(overview, HasSubstr("demo@h1"));
    EXPECT_EQ(cli.data({"overview"}).at("members").as_array().size(), 3u);
    EXPECT_THAT(cli.ok({"version"}), HasSubstr("quorate 0."));
    auto versions = cli.data({"version", "--cluster"}).at("hosts").as_object();
    EXPECT_EQ(versions.size(), 3u);
    for (const auto& [host, version] : versions) EXPECT_NE(version.as_string(), "") << host;
}

TEST_F(Commands, every_answer_says_what_it_is_and_of_which_cluster) {
    for (const auto& [words, schema] : std::vector<std::pair<Words, std::string>>{
             {{"group", "list"}, "group.list"},
             {{"group", "show", "demo"}, "group.show"},
             {{"member", "list", "demo"}, "member.list"},
             {{"member", "show", "demo", "h1"}, "member.show"},
             {{"leader", "show", "demo"}, "leader.show"},
             {{"leader", "transfer", "demo"}, "leader.transfer"},
             {{"plugin", "list"}, "plugin.list"},
             {{"snapshot", "list", "demo"}, "snapshot.list"},
             {{"host", "list"}, "host.list"},
             {{"host", "ping"}, "host.ping"},
             {{"submit", "demo", "put", "a", "1"}, "submit"},
             {{"query", "demo", "get", "a"}, "query"},
             {{"overview"}, "overview"},
             {{"dev", "status"}, "dev.status"}}) {
        boost::json::object envelope = cli.envelope(words);
        EXPECT_EQ(text_of(envelope, "schema"), "quorate." + schema + "/1");
        EXPECT_EQ(text_of(envelope, "cluster"), "dev") << schema;
    }
}

TEST_F(Commands, a_change_that_was_not_answered_is_unknown_and_a_question_is_not) {
    wait_for_leader("demo");
    cli.ok({"dev", "kill", "2"});
    cli.ok({"dev", "kill", "3"});
    Words remove{"member", "remove", "demo", "h3", "--timeout", "1s"};
    auto change = cli.error(remove, 4);
    EXPECT_EQ(change.at("outcome"), "unknown");
    EXPECT_THAT(change.at("hint").as_string().c_str(), HasSubstr("--timeout"));
    EXPECT_THAT(cli(remove).err, HasSubstr("outcome: unknown"));
    auto question = cli.error({"query", "demo", "get", "a", "--timeout", "1s"}, 4);
    EXPECT_EQ(question.at("outcome"), "not_applied");
    Ran groups = cli({"group", "list"});
    EXPECT_EQ(groups.code, 0);
    EXPECT_THAT(groups.err, HasSubstr("warning: h3: QR-4001 unreachable"));
}

}  // namespace
}  // namespace quorate::testing
