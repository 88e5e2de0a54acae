#include "host/group/command.hpp"
#include "tests/group/host_cluster.hpp"

#include <algorithm>

// Hosts with several event loops. The cluster's ShardThreads fail a test in which anything is touched
// from another shard's thread.
namespace quorate::testing {
namespace {

using group::ReadLevel;

constexpr std::size_t shards = 3;

struct Sharded : HostCluster {
    Sharded() : HostCluster(3, shards) {}

    // Calls the service of each shard of a host from that shard's thread, and gives all answers.
    template <class T>
    std::vector<T> on_each_shard(
        TestHost& at,
        const std::function<void(group::HostService&, Time, std::function<void(T)>)>& call) {
        std::vector<Told<T>> told(shards);
        for (std::size_t i = 0; i < shards; ++i) {
            ShardThread& thread = *at.threads[i];
            auto reply = tell(told[i], in(10s), &thread);
            thread.post([&at, i, call, reply, deadline = in(10s)] {
                call(at.service(i), deadline, reply);
            });
        }
        std::vector<T> answers;
        for (auto& each : told) answers.push_back(await(each));
        return answers;
    }
    std::string count(TestHost& at, const std::string& group) {
        return query(at, group, ReadLevel::leader, "count");
    }
};

TEST(HostShards, groups_spread_over_the_shards_and_are_found_from_each) {
    Sharded cluster;
    std::set<std::size_t> owners;
    for (int i = 0; i < 12; ++i) {
        std::string name = "g" + std::to_string(i);
        auto made = cluster.create(cluster.host(0), name, {"h1", "h2", "h3"});
        ASSERT_TRUE(made.has_value()) << to_string(made.error());
        owners.insert(made->group.value() % shards);
    }
    EXPECT_EQ(owners.size(), shards) << "the test reaches every shard";
    using Port = Result<std::shared_ptr<group::GroupPort>>;
    for (int i = 0; i < 12; ++i) {
        std::string name = "g" + std::to_string(i);
        auto ports = cluster.on_each_shard<Port>(
            cluster.host(1), [name](group::HostService& service, Time deadline, auto reply) {
                service.open_group(name, deadline, reply);
            });
        for (const Port& port : ports) EXPECT_TRUE(port.has_value()) << name;
    }
}

TEST(HostShards, commands_are_answered_on_the_thread_that_sent_them) {
    Sharded cluster;
    for (const char* name : {"a", "b", "c", "d"}) {
        ASSERT_TRUE(cluster.create(cluster.host(0), name, {"h1", "h2", "h3"}).has_value());
    }
    for (TestHost* host : cluster.hosts_up()) {
        for (const char* name : {"a", "b", "c", "d"}) {
            auto outcomes = cluster.on_each_shard<group::Outcome>(
                *host, [name](group::HostService& service, Time deadline, auto reply) {
                    service.open_group(name, deadline, [deadline, reply](auto port) {
                        if (!port) return reply(group::NotApplied{port.error(), {}});
                        (*port)->submit(group::make_command({}, as_bytes("x")), deadline,
                                        [keep = *port, reply](group::Outcome o) { reply(o); });
                    });
                });
            for (const group::Outcome& outcome : outcomes) {
                EXPECT_TRUE(say(outcome).starts_with("applied")) << say(outcome);
            }
        }
    }
    for (const char* name : {"a", "b", "c", "d"}) {
        EXPECT_EQ(cluster.count(cluster.host(0), name), "9") << "3 hosts with 3 shards each";
    }
}

TEST(HostShards, a_port_hears_who_leads_with_the_answers_of_another_shard) {
    Sharded cluster;
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1", "h2", "h3"}).has_value());
    auto leaders = cluster.on_each_shard<std::string>(
        cluster.host(1), [](group::HostService& service, Time deadline, auto reply) {
            service.open_group("demo", deadline, [deadline, reply](auto port) {
                (*port)->submit(group::make_command({}, as_bytes("x")), deadline,
                                [keep = *port, reply](auto) { reply(keep->leader()); });
            });
        });
    EXPECT_EQ(leaders, std::vector<std::string>(shards, cluster.leader_of("demo").name));
}

TEST(HostShards, every_operation_works_from_every_shard) {
    Sharded cluster;
    using Created = Result<group::GroupLocation>;
    auto created = cluster.on_each_shard<Created>(
        cluster.host(0), [](group::HostService& service, Time deadline, auto reply) {
            service.create_group({"demo", "test", "", {"h1", "h2"}}, deadline, reply);
        });
    auto formed = std::count_if(created.begin(), created.end(),
                                [](const Created& made) { return made.has_value(); });
    EXPECT_EQ(formed, 1) << "one name, one group";
    ASSERT_TRUE(cluster.add(cluster.host(2), "demo", "h3").has_value());
    using Members = Result<std::vector<group::MemberAnswer>>;
    for (TestHost* host : cluster.hosts_up()) {
        auto lists = cluster.on_each_shard<Members>(
            *host, [](group::HostService& service, Time deadline, auto reply) {
                service.list_members(deadline, reply);
            });
        for (const Members& list : lists) EXPECT_EQ(list.value().size(), 3u);
        auto hashes = cluster.on_each_shard<Members>(
            *host, [](group::HostService& service, Time deadline, auto reply) {
                service.group_members("demo", true, deadline, reply);
            });
        for (const Members& list : hashes) EXPECT_EQ(list.value().size(), 3u);
    }
    using Plugins = Result<std::vector<group::PluginSummary>>;
    auto plugins = cluster.on_each_shard<Plugins>(
        cluster.host(1), [](group::HostService& service, Time deadline, auto reply) {
            service.install_plugin(plugin_image("kv", "2", 5000), deadline, reply);
        });
    for (const Plugins& installed : plugins) EXPECT_EQ(installed.value().size(), 3u);
    ASSERT_TRUE(cluster.remove(cluster.host(1), "demo", "h1").has_value());
    ASSERT_TRUE(cluster.remove_group(cluster.host(0), "demo").has_value());
}

TEST(HostShards, members_come_back_on_their_shards_after_a_restart) {
    Sharded cluster;
    for (const char* name : {"a", "b", "c", "d"}) {
        ASSERT_TRUE(cluster.create(cluster.host(0), name, {"h1", "h2", "h3"}).has_value());
        ASSERT_EQ(cluster.submit(cluster.host(1), name, "x"), "applied 1:x");
    }
    for (TestHost* host : cluster.hosts_up()) host->stop();
    for (const std::string& name : cluster.names()) cluster.host(name).start();
    for (const char* name : {"a", "b", "c", "d"}) {
        EXPECT_EQ(cluster.submit(cluster.host(2), name, "y"), "applied 2:y");
    }
}

TEST(HostShards, nothing_is_posted_between_shards_when_there_is_one) {
    HostCluster cluster(1);
    ASSERT_TRUE(cluster.create(cluster.host(0), "demo", {"h1"}).has_value());
    auto port = cluster.open(cluster.host(0), "demo").value();
    auto refused = cluster.start_submit(*port, std::string(9u << 20, 'x'));
    EXPECT_TRUE(refused.has_value()) << "the member was called directly";
}

}  // namespace
}  // namespace quorate::testing
