#include "tests/group/host_cluster.hpp"

#include <algorithm>

// Plugins on their way from host to host.
namespace quorate::testing {
namespace {

using group::ReadLevel;
using Summaries = std::vector<group::PluginSummary>;

Result<Summaries> install(HostCluster& cluster, TestHost& at, Bytes image, Duration within = 10s) {
    HostCluster::Told<Result<Summaries>> told;
    at.service().install_plugin(std::move(image), cluster.in(within),
                                cluster.tell(told, cluster.in(within)));
    return cluster.await(told);
}

std::vector<std::string> hosts_of(const Summaries& summaries) {
    std::vector<std::string> hosts;
    for (const group::PluginSummary& plugin : summaries) hosts.push_back(plugin.host);
    std::sort(hosts.begin(), hosts.end());
    return hosts;
}

TEST(HostPlugins, an_installed_plugin_reaches_every_connected_host) {
    HostCluster cluster(3);
    Bytes image = plugin_image("kv", "2", 12345);
    auto installed = install(cluster, cluster.host("h2"), image);
    ASSERT_TRUE(installed.has_value()) << to_string(installed.error());
    EXPECT_EQ(hosts_of(*installed), (std::vector<std::string>{"h1", "h2", "h3"}));
    for (TestHost* host : cluster.hosts_up()) {
        EXPECT_EQ(host->plugins.image(build_of(image)).value(), image) << host->name;
    }
    EXPECT_EQ(installed->front().id, "kv");
}

TEST(HostPlugins, an_image_is_read_once_for_all_who_fetch_it) {
    HostCluster cluster(4);
    ASSERT_TRUE(install(cluster, cluster.host("h1"), plugin_image("kv", "2", 50000)).has_value());
    EXPECT_LE(cluster.host("h1").plugins.images_read, 3);
    EXPECT_EQ(cluster.host("h2").plugins.installs, 2) << "the cluster's, and this one once";
}

TEST(HostPlugins, a_host_that_is_away_is_left_out) {
    HostCluster cluster(3);
    cluster.host("h3").crash();
    auto installed = install(cluster, cluster.host("h1"), plugin_image("kv", "2"));
    EXPECT_EQ(hosts_of(installed.value()), (std::vector<std::string>{"h1", "h2"}));
}

TEST(HostPlugins, a_silent_host_does_not_hold_up_the_answer) {
    HostCluster cluster(3);
    cluster.isolate("h3");
    auto installed = install(cluster, cluster.host("h1"), plugin_image("kv", "2"), 5s);
    EXPECT_EQ(hosts_of(installed.value()), (std::vector<std::string>{"h1", "h2"}));
}

TEST(HostPlugins, what_is_not_a_plugin_is_refused_and_goes_nowhere) {
    HostCluster cluster(2);
    auto installed = install(cluster, cluster.host("h1"), Bytes::copy_of("not a plugin"));
    EXPECT_EQ(name_of_error(installed), "plugin_not_a_plugin");
    EXPECT_NE(installed.error().what.find("'h1'"), std::string::npos) << installed.error().what;
    EXPECT_EQ(cluster.host("h2").plugins.installs, 1);
}

TEST(HostPlugins, are_listed_with_the_hosts_that_have_them) {
    HostCluster cluster(3);
    cluster.host("h3").plugins.forget(build_of(cluster.plugin));
    HostCluster::Told<Result<Summaries>> told;
    cluster.host("h3").service().list_plugins(cluster.in(5s), cluster.tell(told, cluster.in(5s)));
    EXPECT_EQ(hosts_of(cluster.await(told).value()), (std::vector<std::string>{"h1", "h2"}));
}

TEST(HostPlugins, a_host_fetches_the_build_before_it_starts_a_member) {
    HostCluster cluster(3);
    std::string build = build_of(cluster.plugin);
    cluster.host("h3").plugins.forget(build);
    ASSERT_TRUE(cluster.create(cluster.host("h1"), "demo", {"h1", "h2", "h3"}).has_value());
    EXPECT_EQ(cluster.submit(cluster.host("h3"), "demo", "a"), "applied 1:a");
    cluster.scheduler.run_for(1s);
    EXPECT_TRUE(cluster.host("h3").plugins.has(build));
    EXPECT_EQ(cluster.query(cluster.host("h3"), "demo", ReadLevel::local, "all"), "a");
}

TEST(HostPlugins, a_new_member_fetches_the_build_from_another_member_if_the_asker_lacks_it) {
    HostCluster cluster(4);
    std::string build = build_of(cluster.plugin);
    ASSERT_TRUE(cluster.create(cluster.host("h1"), "demo", {"h1", "h2"}).has_value());
    cluster.host("h3").plugins.forget(build);
    cluster.host("h4").plugins.forget(build);
    auto added = cluster.add(cluster.host("h3"), "demo", "h4");
    ASSERT_TRUE(added.has_value()) << to_string(added.error());
    EXPECT_TRUE(cluster.host("h4").plugins.has(build));
}

TEST(HostPlugins, a_member_starts_without_its_plugin_and_applies_once_it_is_installed) {
    HostCluster cluster(3);
    std::string build = build_of(cluster.plugin);
    cluster.host("h3").plugins.forget(build);
    // Nobody can send it: their files are gone.
    for (const char* name : {"h1", "h2"}) {
        cluster.host(name).plugins.falsify(build, plugin_image("other", "9"));
    }
    ASSERT_TRUE(cluster.create(cluster.host("h1"), "demo", {"h1", "h2", "h3"}).has_value());
    ASSERT_EQ(cluster.submit(cluster.host("h1"), "demo", "a"), "applied 1:a");
    cluster.scheduler.run_for(2s);
    EXPECT_EQ(cluster.query(cluster.host("h3"), "demo", ReadLevel::local, "all"),
              "plugin_not_found");
    EXPECT_EQ(cluster.query(cluster.host("h3"), "demo", ReadLevel::linearizable, "all"), "a");
    ASSERT_TRUE(install(cluster, cluster.host("h3"), cluster.plugin).has_value());
    cluster.scheduler.run_for(1s);
    EXPECT_EQ(cluster.query(cluster.host("h3"), "demo", ReadLevel::local, "all"), "a");
}

TEST(HostPlugins, a_host_that_lost_a_build_fetches_it_when_it_meets_one_that_has_it) {
    HostCluster cluster(3);
    std::string build = build_of(cluster.plugin);
    ASSERT_TRUE(cluster.create(cluster.host("h1"), "demo", {"h1", "h2", "h3"}).has_value());
    ASSERT_EQ(cluster.submit(cluster.host("h1"), "demo", "a"), "applied 1:a");
    cluster.host("h3").stop();
    cluster.host("h3").plugins.forget(build);
    cluster.host("h3").start();
    cluster.scheduler.run_for(3s);
    EXPECT_TRUE(cluster.host("h3").plugins.has(build));
    EXPECT_EQ(cluster.query(cluster.host("h3"), "demo", ReadLevel::local, "all"), "a");
}

TEST(HostPlugins, a_lost_piece_is_asked_for_again) {
    HostCluster cluster(2);
    int pieces = 0;
    cluster.lose = [&pieces](const std::string&, const std::string&, const group::PeerMessage& m) {
        auto* response = std::get_if<group::Response>(&m);
        bool piece = response && std::holds_alternative<group::Piece>(response->body);
        return piece && ++pieces % 3 == 0;
    };
    auto installed = install(cluster, cluster.host("h1"), plugin_image("kv", "2", 9000), 60s);
    EXPECT_EQ(hosts_of(installed.value()), (std::vector<std::string>{"h1", "h2"}));
}

TEST(HostPlugins, pieces_that_do_not_fit_together_end_the_transfer) {
    std::vector<group::Piece> lies = {
        {0, Bytes::copy_of("x")},               // of nothing
        {~0ull, Bytes::copy_of("x")},           // of everything
        {100, Bytes()},                         // an empty one
        {2, Bytes::copy_of("more than that")},  // more than there is
    };
    for (const group::Piece& lie : lies) {
        HostCluster cluster(2);
        group::PeerReceiver& h1 = cluster.host("h1").host->receiver();
        cluster.lose = [&](const std::string& from, const std::string&,
                           const group::PeerMessage& message) {
            auto* response = std::get_if<group::Response>(&message);
            bool piece = response && std::holds_alternative<group::Piece>(response->body);
            if (from != "h2" || !piece) return false;
            group::Response false_one{response->id, false, response->error, lie};
            cluster.scheduler.post([&h1, false_one] { h1.receive("h2", false_one); });
            return true;
        };
        auto installed = install(cluster, cluster.host("h2"), plugin_image("kv", "2", 5000));
        EXPECT_EQ(hosts_of(installed.value()), std::vector<std::string>{"h2"});
        EXPECT_EQ(cluster.host("h1").plugins.installs, 1) << "the cluster's only";
    }
}

TEST(HostPlugins, an_answer_of_another_kind_ends_the_transfer) {
    HostCluster cluster(2);
    group::PeerReceiver& h1 = cluster.host("h1").host->receiver();
    cluster.lose = [&](const std::string& from, const std::string&, const group::PeerMessage& m) {
        auto* response = std::get_if<group::Response>(&m);
        bool piece = response && std::holds_alternative<group::Piece>(response->body);
        if (from != "h2" || !piece) return false;
        group::Response false_one{response->id, false, response->error, EntryId{}};
        cluster.scheduler.post([&h1, false_one] { h1.receive("h2", false_one); });
        return true;
    };
    auto installed = install(cluster, cluster.host("h2"), plugin_image("kv", "2", 5000));
    EXPECT_EQ(hosts_of(installed.value()), std::vector<std::string>{"h2"});
}

}  // namespace
}  // namespace quorate::testing
