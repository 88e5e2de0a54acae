#include "tests/support/cluster.hpp"
#include "tests/support/load.hpp"
#include "tests/support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

// How a host starts, refuses to start, and stops.
namespace quorate::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// `quorated` alone, with a configuration of its own.
class HostStart : public ::testing::Test {
 protected:
    std::string config(const std::string& text) {
        std::string path = scratch.path() + "/host.toml";
        std::ofstream(path) << text;
        return path;
    }
    std::string plain(const std::string& more = "") {
        return config("[host]\nname = \"h1\"\ndata_dir = \"" + data +
                      "\"\n[listen]\nclient = \"127.0.0.1:0\"\npeer = \"127.0.0.1:0\"\n" + more);
    }
    // Runs it to its end, which is to come by itself.
    Ran quorated(std::vector<std::string> words, std::vector<std::string> environment = {}) {
        words.insert(words.begin(), quorated_program());
        return run(std::move(words), std::move(environment));
    }
    // One line that says what, and one that says what to do.
    static void expect_refusal(const Ran& ran, int code, const std::string& name) {
        EXPECT_EQ(ran.code, code) << ran.err;
        EXPECT_THAT(ran.err, HasSubstr(" " + name + ": "));
        EXPECT_THAT(ran.err, HasSubstr("\n  fix: "));
        EXPECT_THAT(ran.err, HasSubstr("\n  more: quorate explain QR-"));
    }

    ScratchDirectory scratch;
    std::string data = scratch.path() + "/data";
};

TEST_F(HostStart, a_typo_in_the_configuration_is_found_by_line_and_column) {
    std::string path = plain("[raft]\nelection_timeuot = \"1s\"\n");
    for (const char* option : {"--check-config", "--config"}) {
        std::vector<std::string> words{"--config", path};
        if (option != words[0]) words.push_back(option);
        Ran ran = quorated(words);
        expect_refusal(ran, 2, "config_invalid");
        EXPECT_THAT(ran.err, HasSubstr(path + ":8:1"));
        EXPECT_THAT(ran.err, HasSubstr("raft.election_timeout"));
    }
    EXPECT_FALSE(std::filesystem::exists(data));
}

TEST_F(HostStart, values_that_cannot_be_are_refused_where_they_stand) {
    expect_refusal(quorated({"--config", plain("[raft]\nelection_timeout = \"soon\"\n")}), 2,
                   "config_invalid");
    expect_refusal(quorated({"--config", plain("[raft\n")}), 2, "config_invalid");
    expect_refusal(quorated({"--config", plain(), "--set", "wal.file_size=7"}), 2,
                   "config_invalid");
    Ran variable = quorated({"--config", plain()}, {"QUORATE_RAFT__NO_SUCH=1"});
    expect_refusal(variable, 2, "config_invalid");
    EXPECT_THAT(variable.err, HasSubstr("QUORATE_RAFT__NO_SUCH"));
    expect_refusal(quorated({"--config", scratch.path() + "/nowhere.toml"}), 2,
                   "config_unreadable");
    expect_refusal(quorated({"--config", scratch.path()}), 2, "config_unreadable");
    expect_refusal(quorated({"--frobnicate"}), 2, "request_invalid");
    expect_refusal(quorated({}), 2, "config_invalid");
}

TEST_F(HostStart, a_section_or_key_in_the_wrong_place_is_told_where_it_belongs) {
    EXPECT_THAT(quorated({"--config", config("[hots]\nname = \"h1\"\n")}).err,
                HasSubstr(":1:2: there is no key 'hots'; did you mean 'host'?"));
    EXPECT_THAT(quorated({"--config", config("name = \"h1\"\n")}).err,
                HasSubstr(":1:1: there is no key 'name'; did you mean 'host.name'?"));
}

TEST_F(HostStart, a_data_directory_that_cannot_be_is_refused_by_its_path) {
    for (const std::string& directory : {std::string("/proc/nowhere"), plain()}) {
        Ran ran = quorated({"--set", "host.name=h1", "--set", "host.data_dir=" + directory});
        EXPECT_EQ(ran.code, 1);
        EXPECT_THAT(ran.err, AllOf(HasSubstr(directory), HasSubstr("fix: host.data_dir must be")));
    }
}

TEST_F(HostStart, a_configuration_can_be_checked_without_starting) {
    Ran ran = quorated({"--config", plain(), "--check-config"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("configuration ok"));
    EXPECT_FALSE(std::filesystem::exists(data));
    EXPECT_THAT(quorated({"--keys"}).out, HasSubstr("raft.election_timeout"));
    EXPECT_THAT(quorated({"--version"}).out, HasSubstr("quorated 0."));
}

TEST_F(HostStart, a_directory_that_is_no_data_directory_is_left_as_it_is) {
    std::filesystem::create_directory(data);
    std::ofstream(data + "/letters.txt") << "dear";
    expect_refusal(quorated({"--config", plain()}), 1, "directory_not_ours");
    EXPECT_EQ(read_text(data + "/letters.txt"), "dear");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(data), {}), 1);
}

class HostStop : public ::testing::Test {
 protected:
    HostStop() {
        cluster.install(kv_plugin());
        cluster.create_group("map", "quorate.kv");
        first_write(cluster.client(), "map");
    }
    // Starts a second process by hand, as an operator might; it is to end by itself.
    Ran second_process(std::size_t at, std::vector<std::string> more) {
        std::vector<std::string> words{quorated_program(), "--config", cluster.host(at).config};
        words.insert(words.end(), more.begin(), more.end());
        return run(words);
    }
    Cluster cluster;
};

TEST_F(HostStop, a_data_directory_in_use_is_refused_with_the_process_that_holds_it) {
    Ran ran = second_process(
        0, {"--set", "listen.client=127.0.0.1:0", "--set", "listen.peer=127.0.0.1:0"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("QR-1102 directory_in_use"),
                               HasSubstr(std::to_string(cluster.host(0).process->id())),
                               HasSubstr("fix: ")));
    first_write(cluster.client(), "map");
    cluster.wait_equal("map");
}

TEST_F(HostStop, a_data_directory_of_another_host_or_cluster_is_refused) {
    EXPECT_EQ(cluster.stop(1), 0);
    Ran host = second_process(1, {"--set", "host.name=h9"});
    EXPECT_EQ(host.code, 1);
    EXPECT_THAT(host.err, AllOf(HasSubstr("QR-1101 identity_mismatch"), HasSubstr("'h2'"),
                                HasSubstr("'h9'"), HasSubstr(cluster.host(1).data)));
    Ran other = second_process(1, {"--set", "cluster.name=elsewhere"});
    EXPECT_EQ(other.code, 1);
    EXPECT_THAT(other.err, HasSubstr("'elsewhere'"));
    cluster.start(1);
    first_write(cluster.client(), "map");
    cluster.wait_equal("map");
}

TEST_F(HostStop, a_port_in_use_is_refused_and_nothing_is_done_to_the_directory) {
    EXPECT_EQ(cluster.stop(1), 0);
    for (const char* key : {"listen.client", "listen.peer"}) {
        std::string taken = key == std::string("listen.client")
                                ? cluster.host(0).client_port.address()
                                : cluster.host(0).peer_port.address();
        Ran ran = second_process(1, {"--set", std::string(key) + "=" + taken});
        EXPECT_EQ(ran.code, 1);
        EXPECT_THAT(ran.err, AllOf(HasSubstr("QR-1104 address_in_use"), HasSubstr(taken),
                                   HasSubstr("fix: another process listens there")));
    }
    cluster.start(1);
    cluster.wait_equal("map");
}

TEST_F(HostStop, sigterm_hands_leadership_over_says_so_and_ends_with_0) {
    std::size_t leader = cluster.leader("map");
    Load load({.endpoints = cluster.endpoints(), .group = "map"});
    load.wait_for_more(50);
    ClusterHost& host = cluster.host(leader);
    host.process->signal(SIGTERM);
    EXPECT_TRUE(host.notify->wait_for("STOPPING=1", *host.process, 10s));
    EXPECT_EQ(host.process->wait(60s), 0);
    load.wait_for_more(50);
    EXPECT_NE(cluster.leader("map"), leader);
    EXPECT_THAT(read_text(host.log), HasSubstr("the host has stopped"));
    cluster.start(leader);
    // What an orderly stop wrote is whole: nothing to complain of at the next start.
    EXPECT_THAT(read_text(host.log), Not(HasSubstr("log_damaged")));
    load.stop();
    std::cout << load.summary() << "\n";
    cluster.wait_equal("map");
    EXPECT_EQ(load.verify(cluster.client()), "");
}

// An election would take a minute here: who leads next was asked to.
TEST(HostHandOver, is_asked_of_another_and_not_left_to_an_election) {
    Cluster cluster({.settings = {"raft.election_timeout=60s"}});
    cluster.install(kv_plugin());
    cluster.create_group("map", "quorate.kv");
    for (int i = 0; i < 3; ++i) {
        std::size_t leader = cluster.leader("map");
        EXPECT_EQ(cluster.stop(leader), 0);
        EXPECT_NE(cluster.leader("map"), leader);
        first_write(cluster.client(), "map");
        cluster.start(leader);
    }
    cluster.wait_equal("map");
}

// Both signals are there before it looks.
TEST_F(HostStop, a_second_signal_ends_the_wait_and_loses_nothing) {
    ClusterHost& host = cluster.host(cluster.leader("map"));
    cluster.pause(cluster.at(host.name));
    host.process->signal(SIGTERM);
    host.process->signal(SIGINT);
    cluster.resume(cluster.at(host.name));
    EXPECT_EQ(host.process->wait(60s), 0);
    EXPECT_THAT(read_text(host.log), HasSubstr(" stop_cut_short "));
    cluster.start(cluster.at(host.name));
    first_write(cluster.client(), "map");
    cluster.wait_equal("map");
}

TEST_F(HostStop, alone_of_three_it_stops_although_nobody_can_take_over) {
    std::size_t leader = cluster.leader("map");
    cluster.kill({(leader + 1) % 3, (leader + 2) % 3});
    EXPECT_EQ(cluster.stop(leader), 0);
    cluster.start({0, 1, 2});
    first_write(cluster.client(), "map");
    cluster.wait_equal("map");
}

TEST_F(HostStop, ready_is_said_once_the_host_serves) {
    auto messages = cluster.host(0).notify->received();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_THAT(messages[0],
                AllOf(HasSubstr("READY=1"), HasSubstr(cluster.host(0).client_port.address())));
}

TEST_F(HostStop, all_hosts_stop_at_once_and_come_back_with_everything) {
    Load load({.endpoints = cluster.endpoints(), .group = "map"});
    load.wait_for_more(200);
    load.stop();
    for (std::size_t i = 0; i < cluster.size(); ++i) cluster.host(i).process->signal(SIGTERM);
    for (std::size_t i = 0; i < cluster.size(); ++i) {
        EXPECT_EQ(cluster.host(i).process->wait(60s), 0);
    }
    cluster.start({0, 1, 2});
    cluster.wait_equal("map");
    EXPECT_EQ(load.verify(cluster.client()), "");
}

}  // namespace
}  // namespace quorate::testing
