#include "tests/e2e/cli_fixture.hpp"

#include <filesystem>
#include <future>

// `quorate bench` as a user runs it. Figures are not asserted: that a run ends, is true, and leaves nothing.
namespace quorate::testing {
namespace {

using ::testing::HasSubstr;

class Bench : public ::testing::Test {
 protected:
    Ran bench(Words words) {
        Words all{"--timeout", "60s", "bench", "--seconds", "1", "--warm-up", "0"};
        all.insert(all.end(), words.begin(), words.end());
        return cli(all);
    }
    // Of hosts that the run starts.
    Ran bench_own(const char* hosts, Words words) {
        words.insert(words.begin(), {"--hosts", hosts, "--dir", scratch.path()});
        return bench(std::move(words));
    }
    // That the groups of a run have committed, while it is under way.
    std::uint64_t commands_of_bench() {
        std::uint64_t most = 0;
        for (const boost::json::value& group : cli.list({"group", "list"})) {
            if (!text_of(group, "name").starts_with("bench-")) continue;
            most = std::max(most, group.at("commitIndex").to_number<std::uint64_t>());
        }
        return most;
    }

    Cli cli;
    ScratchDirectory scratch;
};

TEST_F(Bench, loads_hosts_of_its_own_and_verifies_what_they_acknowledged) {
    Ran ran = bench_own("3", {"--clients", "2", "--window", "20", "--groups", "3", "-o", "json"});
    ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
    auto run = boost::json::parse(ran.out).as_object();
    EXPECT_EQ(run.at("workload").as_string(), "write");
    EXPECT_TRUE(run.at("verified").as_bool());
    EXPECT_EQ(run.at("members").to_number<int>(), 3);
    EXPECT_GT(run.at("ops_s").to_number<double>(), 0);
    EXPECT_GT(run.at("cpu_us_per_op").to_number<double>(), 0);
    EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST_F(Bench, loads_a_running_cluster_and_removes_its_groups) {
    cli.up({"--hosts", "1"});
    for (const char* level : {"local", "leader", "linearizable"}) {
        Ran ran = bench({"--reads", "50", "--level", level, "--window", "4"});
        ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
        EXPECT_THAT(ran.out, HasSubstr(std::string("mixed-50-") + level));
    }
    EXPECT_EQ(cli.list({"group", "list"}).size(), 1u) << "demo";
}

TEST_F(Bench, begins_operations_in_time) {
    cli.up({"--hosts", "1"});
    Ran ran = bench({"--rate", "200", "--clients", "2", "--window", "100", "-o", "json"});
    ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
    auto run = boost::json::parse(ran.out).as_object();
    EXPECT_LE(run.at("ops_s").to_number<double>(), 201);
    EXPECT_TRUE(run.at("verified").as_bool());
}

TEST_F(Bench, ends_in_time_and_says_so_if_the_rate_is_more_than_the_cluster_takes) {
    Ran ran = bench_own("1", {"--rate", "5000000", "-o", "json"});
    ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
    auto run = boost::json::parse(ran.out).as_object();
    EXPECT_GT(run.at("not_begun").to_number<std::uint64_t>(), 0u);
    EXPECT_TRUE(run.at("verified").as_bool());
}

TEST_F(Bench, fails_with_the_reason_if_nothing_succeeded) {
    Ran ran = bench_own("1", {"--payload", "16777216"});
    EXPECT_EQ(ran.code, 2) << ran.out;
    EXPECT_THAT(ran.err, HasSubstr("not one operation succeeded"));
    EXPECT_THAT(ran.err, HasSubstr("command_too_large"));
}

TEST_F(Bench, says_what_it_counted_if_a_host_dies_and_that_nobody_can_verify_it) {
    cli.up();
    auto run = std::async(std::launch::async, [this] {
        return cli({"bench", "--seconds", "3", "--clients", "4", "-o", "json"});
    });
    while (commands_of_bench() < 10 && run.wait_for(0s) != std::future_status::ready) {
    }
    cli.ok({"dev", "kill", "3"});
    Ran ran = run.get();
    EXPECT_EQ(ran.code, 1) << ran.out << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("whether all that was acknowledged was applied is not known"));
    auto figures = boost::json::parse(ran.out).as_object();
    EXPECT_GT(figures.at("acknowledged").to_number<std::uint64_t>(), 0u);
    EXPECT_FALSE(figures.at("verified").as_bool());
}

TEST_F(Bench, takes_its_groups_with_it_when_a_signal_ends_it) {
    cli.up({"--hosts", "1"});
    Ran ran = cli.ended_after("2", {"bench", "--seconds", "60", "--groups", "40"});
    EXPECT_EQ(ran.code, 124) << ran.out << ran.err;
    EXPECT_EQ(cli.list({"group", "list"}).size(), 1u) << "demo, and: " << ran.err;
}

// Whenever it comes: before the hosts are there, while they start, and while they are loaded.
TEST_F(Bench, takes_its_hosts_with_it_when_a_signal_ends_it) {
    for (const char* after : {"0.1", "0.5", "2"}) {
        Ran ran = cli.ended_after(
            after, {"bench", "--hosts", "3", "--seconds", "60", "--dir", scratch.path()});
        EXPECT_EQ(ran.code, 124) << ran.out << ran.err;
        EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << after << " s";
    }
}

TEST_F(Bench, refuses_what_it_cannot_do) {
    EXPECT_THAT(bench({"--clients", "0"}).err,
                HasSubstr("--clients 0: a whole number from 1 to 4096"));
    EXPECT_THAT(bench({"--reads", "10", "--level", "dirty"}).err,
                HasSubstr("--level dirty: local, leader or linearizable"));
    EXPECT_THAT(bench({"memory"}).err, HasSubstr("bench memory: cluster, disk or create"));
    EXPECT_EQ(bench({"--payload", "1"}).code, 2);
    Ran ran = bench({"--hosts", "1", "--dir", scratch.path() + "/none"});
    EXPECT_THAT(ran.err, HasSubstr("/none: there is no such directory"));
    EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST_F(Bench, refuses_what_it_would_not_heed) {
    EXPECT_THAT(bench({"--batch", "4096"}).err, HasSubstr("bench cluster takes no --batch"));
    EXPECT_THAT(bench({"disk", "--clients", "4"}).err, HasSubstr("bench disk takes no --"));
    EXPECT_THAT(cli({"bench", "create", "--hosts", "1"}).err,
                HasSubstr("bench create takes no --hosts"));
    EXPECT_THAT(bench({"--hosts", "1", "--endpoint", "127.0.0.1:1"}).err,
                HasSubstr("leave one of them out"));
    EXPECT_THAT(bench({"--dir", scratch.path()}).err, HasSubstr("there is no --hosts"));
}

TEST_F(Bench, looks_for_a_cluster_no_longer_than_it_may) {
    Ran ran = cli({"--timeout", "100ms", "bench", "--endpoint", "127.0.0.1:1"});
    EXPECT_EQ(ran.code, 3) << ran.err;
}

}  // namespace
}  // namespace quorate::testing
