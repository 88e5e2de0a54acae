#include "tests/e2e/cli_fixture.hpp"
#include "tests/support/wait_until.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

// `quorate dev`: a cluster for development, from up to down.
namespace quorate::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

std::string leader_of(Cli& cli) {
    std::string leader;
    wait_until(20s, [&]() -> std::string {
        Ran ran = cli({"leader", "show", "demo", "-o", "json"});
        if (ran.code != 0) return ran.err;
        leader = text_of(boost::json::parse(ran.out).at("data"), "leader");
        return {};
    });
    return leader;
}

// Until the first host that runs hears it.
void await_reachable(Cli& cli, const std::string& wanted) {
    wait_until(20s, [&]() -> std::string {
        auto hosts = cli.list({"host", "list"});
        bool reached = std::ranges::any_of(hosts, [&](const auto& host) {
            return text_of(host, "name") == wanted && host.at("reachable").as_bool();
        });
        return reached ? "" : boost::json::serialize(hosts);
    });
}

// Until demo has three voters that run and hold the same.
void await_equal_voters(Cli& cli) {
    wait_until(20s, [&]() -> std::string {
        auto members = cli.list({"member", "list", "demo", "--hash"});
        if (members.size() != 3) return std::to_string(members.size()) + " members";
        for (const auto& member : members) {
            bool same = text_of(member, "state") == "running" &&
                        text_of(member, "vote") == "voter" &&
                        text_of(member, "stateHash") == text_of(members[0], "stateHash");
            if (!same) return boost::json::serialize(members);
        }
        return {};
    });
}

TEST(Dev, up_starts_three_hosts_that_take_commands_at_once) {
    Cli cli;
    auto begin = std::chrono::steady_clock::now();
    cli.up();
    auto took = std::chrono::steady_clock::now() - begin;
    // Within 2 s on a machine that has nothing else to do.
    std::cout << "dev up took " << took / 1ms << " ms\n";
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "hello", "world"}), "created\n");
    EXPECT_EQ(cli.ok({"query", "demo", "get", "hello"}), "world\n");
    auto hosts = cli.list({"dev", "status"});
    ASSERT_EQ(hosts.size(), 3u);
    for (const auto& host : hosts) EXPECT_TRUE(host.at("running").as_bool());
    EXPECT_THAT(cli.ok({"dev", "status"}), HasSubstr("h2"));
}

TEST(Dev, hosts_listen_where_no_outgoing_connection_can_be) {
    unsigned first_outgoing = 0;
    std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first_outgoing;
    if (first_outgoing < 11'000) GTEST_SKIP() << "outgoing connections have nearly all ports";
    Cli cli;
    cli.up({"--empty"});
    std::set<unsigned> ports;
    for (const auto& host : cli.list({"dev", "status"})) {
        for (const char* key : {"client", "peer"}) {
            std::string address = text_of(host, key);
            ports.insert(static_cast<unsigned>(std::stoul(address.substr(address.find(':') + 1))));
        }
    }
    EXPECT_EQ(ports.size(), 6u);
    EXPECT_LT(*ports.rbegin(), first_outgoing);
}

TEST(Dev, up_says_what_to_type_next_and_refuses_to_start_twice) {
    Cli cli;
    Ran first = cli({"dev", "up", "--timeout", "20s"});
    EXPECT_EQ(first.code, 0) << first.err;
    EXPECT_THAT(first.out, HasSubstr("quorate submit demo put"));
    EXPECT_THAT(first.out, HasSubstr("quorate dev down"));
    Ran second = cli({"dev", "up"});
    EXPECT_EQ(second.code, 5);
    EXPECT_THAT(second.err, HasSubstr("quorate dev down"));
    EXPECT_EQ(cli.list({"dev", "status"}).size(), 3u);
    cli.ok({"dev", "down"});
    EXPECT_FALSE(std::filesystem::exists(cli.directory()));
}

TEST(Dev, files_of_others_are_never_removed) {
    Cli cli;
    std::filesystem::create_directories(cli.directory());
    std::string thesis = cli.directory() + "/thesis.txt";
    std::ofstream(thesis) << "years of work";
    auto error = cli.error({"dev", "up", "--hosts", "1"}, 5);
    EXPECT_EQ(error.at("name"), "directory_not_ours");
    EXPECT_EQ(read_text(thesis), "years of work");
    std::filesystem::remove(thesis);

    cli.up({"--hosts", "1", "--empty"});
    std::ofstream(thesis) << "years of work";
    cli.ok({"dev", "down"});
    EXPECT_EQ(read_text(thesis), "years of work");
    EXPECT_FALSE(std::filesystem::exists(cli.directory() + "/h1")) << "ours is gone";
    std::filesystem::remove_all(cli.directory());
}

TEST(Dev, a_host_without_a_member_leads_clients_to_the_group) {
    Cli cli;
    cli.up({"--hosts", "1"});
    cli.ok({"submit", "demo", "put", "a", "1"});
    cli.ok({"dev", "add"});
    std::string stranger = text_of(cli.list({"dev", "status"})[1], "client");
    EXPECT_EQ(cli.ok({"query", "demo", "get", "a", "--endpoint", stranger}), "1\n");
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "a", "2", "--endpoint", stranger}), "replaced\n");
}

TEST(Dev, what_a_host_that_is_down_does_not_get_is_said) {
    Cli cli;
    cli.up({"--hosts", "2", "--empty"});
    cli.ok({"dev", "kill", "2"});
    Ran ran = cli({"plugin", "install", counter_plugin()});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("host h2 does not answer"));
}

TEST(Dev, a_cluster_that_is_kept_comes_back_with_its_data) {
    Cli cli;
    cli.up();
    cli.ok({"submit", "demo", "put", "a", "1"});
    auto before = cli.list({"dev", "status"});
    EXPECT_THAT(cli.ok({"dev", "down", "--keep"}), HasSubstr("`quorate dev up` brings it back"));
    EXPECT_EQ(cli.error({"dev", "up", "--hosts", "2"}, 5).at("name"), "directory_not_ours");
    EXPECT_THAT(cli.ok({"dev", "up", "--hosts", "3"}), HasSubstr("3 hosts that were kept"));
    EXPECT_EQ(cli.ok({"query", "demo", "get", "a", "--timeout", "20s"}), "1\n");
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "b", "2", "--timeout", "20s"}), "created\n");
    auto after = cli.list({"dev", "status"});
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(text_of(after[i], "client"), text_of(before[i], "client"));
        EXPECT_TRUE(after[i].at("running").as_bool());
    }
    for (const char* host : {"1", "2"}) cli.ok({"dev", "kill", host});
    EXPECT_THAT(cli({"dev", "up"}).err, HasSubstr("h3 runs"));
    cli.ok({"dev", "kill", "3"});
    cli.ok({"dev", "up"});
    EXPECT_EQ(cli.ok({"query", "demo", "get", "b", "--timeout", "20s"}), "2\n");
}

TEST(Dev, a_kept_cluster_that_cannot_come_back_is_not_harmed) {
    Cli cli;
    cli.up({"--hosts", "1"});
    cli.ok({"submit", "demo", "put", "a", "1"});
    cli.ok({"dev", "down", "--keep"});
    std::string whole = read_text(cli.directory() + "/h1.toml");
    std::ofstream(cli.directory() + "/h1.toml") << "not toml";
    Ran ran = cli({"dev", "up"});
    EXPECT_NE(ran.code, 0);
    EXPECT_THAT(ran.err, HasSubstr("h1 did not get ready"));
    std::ofstream(cli.directory() + "/h1.toml") << whole;
    cli.ok({"dev", "up"});
    EXPECT_EQ(cli.ok({"query", "demo", "get", "a", "--timeout", "20s"}), "1\n");
}

TEST(Dev, a_killed_leader_is_replaced_and_comes_back_with_everything) {
    Cli cli;
    cli.up();
    cli.ok({"submit", "demo", "put", "a", "1"});
    std::string leader = leader_of(cli);
    cli.ok({"dev", "kill", leader});
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "b", "2", "--timeout", "20s"}), "created\n");
    EXPECT_EQ(cli.ok({"query", "demo", "get", "a", "--read", "linearizable"}), "1\n");
    EXPECT_THAT(cli.ok({"dev", "status"}), HasSubstr("DOWN"));
    cli.ok({"dev", "restart", leader});
    std::string endpoint;
    for (const auto& host : cli.list({"dev", "status"})) {
        EXPECT_TRUE(host.at("running").as_bool());
        if (text_of(host, "name") == leader) endpoint = text_of(host, "client");
    }
    wait_until(20s, [&] {
        Ran ran = cli({"query", "demo", "get", "b", "--read", "local", "--endpoint", endpoint});
        return ran.out == "2\n" ? "" : ran.out + ran.err;
    });
}

TEST(Dev, a_host_cut_off_hears_nothing_until_the_partition_is_healed) {
    Cli cli;
    cli.up();
    std::string leader = leader_of(cli);
    cli.ok({"dev", "partition", leader});
    std::string endpoint;
    std::string other;
    for (const auto& host : cli.list({"dev", "status"})) {
        (text_of(host, "name") == leader ? endpoint : other) = text_of(host, "client");
    }
    // The others elect a leader of their own; the one that is alone must not take a command.
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "a", "1", "--endpoint", other, "--timeout", "20s"}),
              "created\n");
    Ran alone = cli({"submit", "demo", "put", "b", "2", "--endpoint", endpoint, "--timeout", "2s"});
    EXPECT_EQ(alone.code, 4) << alone.out << alone.err;
    cli.ok({"dev", "heal"});
    wait_until(20s, [&] {
        Ran ran = cli({"query", "demo", "get", "a", "--read", "local", "--endpoint", endpoint});
        return ran.out == "1\n" ? "" : ran.out + ran.err;
    });
}

TEST(Dev, a_host_is_added_and_the_group_grows_onto_it) {
    Cli cli;
    cli.up();
    cli.ok({"submit", "demo", "put", "a", "1"});
    EXPECT_THAT(cli.ok({"dev", "add"}), HasSubstr("h4 is up"));
    cli.ok({"member", "add", "demo", "h4", "--timeout", "20s"});
    wait_until(20s, [&]() -> std::string {
        auto members = cli.list({"member", "list", "demo"});
        if (members.size() != 4) return std::to_string(members.size()) + " members";
        for (const auto& member : members) {
            if (text_of(member, "state") != "running" || text_of(member, "vote") != "voter") {
                return boost::json::serialize(member);
            }
        }
        return {};
    });
    cli.ok({"member", "remove", "demo", "h4", "--timeout", "20s"});
    EXPECT_EQ(cli.list({"member", "list", "demo"}).size(), 3u);
    EXPECT_EQ(cli.ok({"query", "demo", "get", "a"}), "1\n");
}

// As docs/operations.md tells it.
TEST(Dev, a_host_whose_disk_is_lost_is_replaced_by_removing_and_adding_its_member) {
    Cli cli;
    cli.up();
    cli.ok({"submit", "demo", "put", "a", "1"});
    cli.ok({"dev", "kill", "h2"});
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "b", "2", "--timeout", "20s"}), "created\n");
    cli.ok({"member", "remove", "demo", "h2", "--timeout", "20s"});
    std::filesystem::rename(cli.directory() + "/h2", cli.directory() + "/h2.lost");
    cli.ok({"dev", "restart", "h2"});
    await_reachable(cli, "h2");
    cli.ok({"member", "add", "demo", "h2", "--timeout", "20s"});
    await_equal_voters(cli);
}

// It is the one that `quorate` asks first, and asked before it has met anybody.
TEST(Dev, the_first_host_comes_back_empty_and_does_not_take_the_group_for_gone) {
    Cli cli;
    cli.up();
    cli.ok({"submit", "demo", "put", "a", "1"});
    cli.ok({"dev", "kill", "h1"});
    cli.ok({"member", "remove", "demo", "h1", "--timeout", "20s"});
    std::filesystem::remove_all(cli.directory() + "/h1");
    cli.ok({"dev", "restart", "h1"});
    cli.ok({"member", "add", "demo", "h1", "--timeout", "20s"});
    await_equal_voters(cli);
}

TEST(Dev, a_host_that_comes_back_empty_is_named_until_its_member_is_removed_and_added) {
    Cli cli;
    cli.up();
    cli.ok({"submit", "demo", "put", "a", "1"});
    cli.ok({"dev", "kill", "h2"});
    std::filesystem::remove_all(cli.directory() + "/h2");
    cli.ok({"dev", "restart", "h2"});
    await_reachable(cli, "h2");
    EXPECT_EQ(cli.ok({"submit", "demo", "put", "b", "2", "--timeout", "20s"}), "created\n");
    EXPECT_THAT(cli.ok({"member", "list", "demo"}),
                AllOf(ContainsRegex("demo@h2 .* no_such_group\n"),
                      HasSubstr("\ndemo@h2: QR-2001 no_such_group: ")));
    EXPECT_EQ(cli.error({"member", "add", "demo", "h2"}, 5).at("name"), "already_member");
    cli.ok({"member", "remove", "demo", "h2", "--timeout", "20s"});
    cli.ok({"member", "add", "demo", "h2", "--timeout", "20s"});
    await_equal_voters(cli);
}

TEST(Dev, what_there_is_no_cluster_or_host_for_is_said) {
    Cli cli;
    EXPECT_EQ(cli.error({"dev", "status"}, 6).at("name"), "not_found");
    EXPECT_EQ(cli.error({"dev", "kill", "1"}, 6).at("name"), "not_found");
    EXPECT_EQ(cli.error({"dev", "down"}, 6).at("name"), "not_found");
    EXPECT_EQ(cli.error({"dev", "up", "--hosts", "zero"}, 2).at("name"), "request_invalid");
    EXPECT_EQ(cli.error({"dev", "up", "--hosts", "10"}, 2).at("name"), "request_invalid");
    cli.up({"--hosts", "1", "--empty"});
    EXPECT_EQ(cli.error({"dev", "kill", "7"}, 6).at("name"), "no_such_host");
    EXPECT_EQ(cli.error({"submit", "demo", "put", "a", "1"}, 6).at("name"), "no_such_group");
}

}  // namespace
}  // namespace quorate::testing
