#include "tests/e2e/cli_fixture.hpp"
#include "tests/support/load.hpp"

#include <fstream>

// What users and their files do wrong to a cluster that works: a clear error each, and nothing lost.
namespace quorate::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class BadInput : public ::testing::Test {
 protected:
    BadInput() {
        cluster.install(kv_plugin());
        cluster.create_group("map", "quorate.kv");
        first_write(cluster.client(), "map");
    }
    ~BadInput() override {
        // Whatever was tried, the group goes on.
        if (!HasFailure()) {
            first_write(cluster.client(), "map");
            cluster.wait_equal("map");
        }
    }

    Words at_cluster(Words words) {
        for (const std::string& endpoint : cluster.endpoints()) {
            words.insert(words.end(), {"--endpoint", endpoint});
        }
        return words;
    }
    std::string file(const std::string& name, const std::string& content) {
        std::string path = cluster.path() + "/" + name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }

    Cluster cluster;
    Cli cli;
};

TEST_F(BadInput, files_that_are_no_plugins_are_refused_and_say_why) {
    std::string kv = read_text(kv_plugin());
    auto refused = [&](const std::string& path) {
        auto error = cli.error(at_cluster({"plugin", "install", path}), 1);
        EXPECT_THAT(std::string(error.at("message").as_string()), HasSubstr(path));
        return std::string(error.at("name").as_string());
    };
    EXPECT_EQ(refused(file("half.so", kv.substr(0, kv.size() / 2))), "plugin_truncated");
    EXPECT_THAT(refused(file("head.so", kv.substr(0, 40))),
                AnyOf("plugin_truncated", "plugin_not_a_plugin"));
    EXPECT_EQ(refused(file("text.so", "this is not a plugin\n")), "plugin_not_a_plugin");
    EXPECT_THAT(refused(file("empty.so", "")), AnyOf("plugin_truncated", "plugin_not_a_plugin"));
    EXPECT_EQ(refused(quorate_program()), "plugin_not_a_plugin");
    EXPECT_EQ(refused(cluster.path() + "/nowhere.so"), "plugin_unreadable");
    EXPECT_EQ(refused(cluster.path()), "plugin_unreadable");
    EXPECT_EQ(cli.list(at_cluster({"plugin", "list"})).size(), 1u);
}

TEST_F(BadInput, what_a_group_cannot_be_made_of_is_refused) {
    auto create = [&](Words words, int code) {
        words.insert(words.begin(), {"group", "create"});
        return std::string(cli.error(at_cluster(words), code).at("name").as_string());
    };
    EXPECT_EQ(create({"other", "--plugin", "no.such"}, 6), "plugin_not_found");
    EXPECT_EQ(create({"other", "--plugin", "quorate.kv", "--machine", "abacus"}, 6),
              "machine_not_found");
    EXPECT_EQ(create({"a name", "--plugin", "quorate.kv"}, 2), "name_invalid");
    EXPECT_EQ(create({"other", "--plugin", "quorate.kv", "--hosts", "h1,h9"}, 6), "no_such_host");
    EXPECT_EQ(create({"map", "--plugin", "quorate.kv"}, 5), "group_exists");
    EXPECT_EQ(cli.list(at_cluster({"group", "list"})).size(), 1u);
}

TEST_F(BadInput, words_that_the_machine_does_not_know_are_refused_with_those_it_does) {
    auto error = cli.error(at_cluster({"submit", "map", "frobnicate", "a"}), 2);
    EXPECT_EQ(error.at("name"), "command_text_invalid");
    EXPECT_EQ(error.at("outcome"), "not_applied");
    EXPECT_THAT(std::string(error.at("message").as_string()), HasSubstr("put KEY VALUE"));
    Ran query = cli(at_cluster({"query", "map", "frobnicate"}));
    EXPECT_EQ(query.code, 2);
    EXPECT_THAT(query.err, HasSubstr("get KEY"));
    auto missing = cli.error(at_cluster({"submit", "nowhere", "put", "a", "1"}), 6);
    EXPECT_EQ(missing.at("name"), "no_such_group");
    EXPECT_EQ(missing.at("outcome"), "not_applied");
    EXPECT_THAT(std::string(missing.at("message").as_string()), HasSubstr("'nowhere'"));
    EXPECT_EQ(cli.error(at_cluster({"query", "nowhere", "get", "a"}), 6).at("name"),
              "no_such_group");
}

TEST_F(BadInput, a_command_over_the_limit_is_refused_and_not_applied) {
    auto outcome =
        cluster.client().group("map").submit(as_bytes(std::string(9u << 20, 'x')), 10s).get();
    auto* refused = std::get_if<client::NotApplied>(&outcome);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->error.code, Errc::command_too_large) << to_string(refused->error);
    EXPECT_THAT(refused->error.what, HasSubstr("9437184 bytes, the limit is 8388608"));
}

TEST_F(BadInput, bytes_that_the_machine_cannot_read_are_an_applied_rejection) {
    auto outcome = cluster.client().group("map").submit(as_bytes("\x7f nonsense"), 10s).get();
    EXPECT_TRUE(std::holds_alternative<client::Applied>(outcome));
    auto answer = cluster.client()
                      .group("map")
                      .query(client::ReadLevel::linearizable, as_bytes("\x7f nonsense"), 10s)
                      .get();
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, Errc::query_failed);
}

// One host of three is left: it cannot know, and must not say that it does.
TEST_F(BadInput, without_a_quorum_a_command_ends_as_unknown_or_not_applied_but_never_applied) {
    std::size_t left = cluster.leader("map");
    std::vector<std::size_t> others{(left + 1) % 3, (left + 2) % 3};
    cluster.kill(others);
    auto at_the_one = [&](Words words) {
        words.insert(words.end(),
                     {"--endpoint", cluster.endpoints().at(left), "--timeout", "1500ms"});
        return words;
    };
    Words refused;
    for (int i = 0; refused.size() < 2; ++i) {
        std::string key = "lost" + std::to_string(i);
        auto error = cli.error(at_the_one({"submit", "map", "put", key, "1"}), 4);
        EXPECT_TRUE(error.at("retryable").as_bool());
        std::string outcome(error.at("outcome").as_string());
        EXPECT_THAT(outcome, AnyOf("unknown", "not_applied"));
        if (outcome != "not_applied") continue;  // appended before the leader gave up
        refused.push_back(key);
        EXPECT_THAT(std::string(error.at("message").as_string()), HasSubstr("1 of 3 voters"));
    }
    Ran query = cli(at_the_one({"query", "map", "get", refused.front()}));
    EXPECT_EQ(query.code, 4) << query.out << query.err;
    cluster.start(others);
    first_write(cluster.client(), "map");
    for (const std::string& key : refused) {
        EXPECT_EQ(cli.ok(at_cluster({"query", "map", "get", key})), "(absent)\n");
    }
}

TEST_F(BadInput, the_last_voter_is_not_removed) {
    cli.ok(at_cluster({"member", "remove", "map", "h3", "--timeout", "20s"}));
    cli.ok(at_cluster({"member", "remove", "map", "h2", "--timeout", "20s"}));
    Ran last = cli(at_cluster({"member", "remove", "map", "h1", "--timeout", "5s"}));
    EXPECT_EQ(last.code, 5) << last.out << last.err;
    EXPECT_THAT(last.err, HasSubstr("will_break_quorum"));
    for (const char* host : {"h2", "h3"}) {
        cli.ok(at_cluster({"member", "add", "map", host, "--timeout", "20s"}));
    }
}

}  // namespace
}  // namespace quorate::testing
