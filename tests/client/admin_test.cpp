#include "tests/client/fake_server.hpp"

#include <array>

namespace quorate::testing {
namespace {

class AdminCalls : public ::testing::Test {
 protected:
    AdminCalls() { introduce({&h1, &h2}); }
    void start() {
        h1.start();
        h2.start();
        client = connect({.endpoints = {h1.address(), h2.address()}});
    }
    int deleted(FakeServer& server) {
        return server.run([&] { return server.host().deleted; });
    }

    FakeServer h1{"h1"};
    FakeServer h2{"h2"};
    std::unique_ptr<client::Client> client;
};

TEST_F(AdminCalls, give_values_and_the_hosts_own_errors) {
    start();
    auto admin = client->admin();
    auto made = admin.create_group("g", "quorate.kv", "", {"h1", "h2"}, 20s).get().value();
    EXPECT_EQ(made.name, "g");
    EXPECT_EQ(made.hosts, (std::vector<std::string>{"h1", "h2"}));
    EXPECT_EQ(admin.add_member("g", "h3", client::VoteKind::promotable, 20s).get().value(),
              (EntryId{Term(2), Index(9)}));
    EXPECT_EQ(code_of(admin.transfer_leadership("g", "", 20s).get()), "ok");
    EXPECT_EQ(admin.ping_host("h2", 20s).get().value(), 1500u);
    EXPECT_EQ(admin.list_snapshots("g", 20s).get().value().at(0).raw_bytes, 20u);
    auto members = admin.group_members("g", false, 20s).get().value();
    ASSERT_EQ(members.size(), 2u);
    EXPECT_TRUE(members[0].status.has_value());
    EXPECT_EQ(members[1].error->code, Errc::unreachable);
    EXPECT_EQ(code_of(admin.delete_group("g", 20s).get()), "no_such_host");
    EXPECT_EQ(code_of(admin.partition({"h2"}, 20s).get()), "unsupported");
    EXPECT_EQ(admin.server(20s).get().value().host, "h1");
}

TEST_F(AdminCalls, about_one_member_name_its_group_and_its_host) {
    start();
    auto admin = client->admin();
    EXPECT_EQ(code_of(admin.stop_member("g", "h2", 20s).get()), "ok");
    EXPECT_EQ(code_of(admin.start_member("g", "h3", 20s).get()), "ok");
    EXPECT_EQ(code_of(admin.trigger_election("g", "h1", 20s).get()), "ok");
    EXPECT_EQ(h1.run([&] { return h1.host().told_members; }),
              (std::vector<std::string>{"stop g h2", "start g h3", "elect g h1"}));
}

TEST_F(AdminCalls, that_change_something_are_not_repeated_once_they_were_sent) {
    h1.host().on_delete = [this](const auto&) { h1.die_soon(); };
    start();
    auto gone = client->admin().delete_group("g", 20s).get();
    EXPECT_EQ(code_of(gone), "leadership_lost");
    EXPECT_FALSE(gone.error().hint.empty());
    EXPECT_EQ(deleted(h1), 1);
    EXPECT_EQ(deleted(h2), 0);
}

TEST_F(AdminCalls, that_change_something_and_are_not_answered_may_have_been_done) {
    start();
    ASSERT_EQ(code_of(client->admin().server(20s).get()), "ok");
    h1.run([&] { h1.host().on_delete = [](const auto&) {}; });
    EXPECT_EQ(code_of(client->admin().delete_group("g", 1s).get()), "deadline_exceeded");
    EXPECT_EQ(deleted(h1), 1);
    EXPECT_EQ(deleted(h2), 0);
}

TEST_F(AdminCalls, go_elsewhere_while_nothing_was_asked) {
    h2.host().on_delete = [](const auto& done) { done(group::Done{}); };
    h2.start();
    client = connect({.endpoints = {h1.address(), h2.address()}});
    EXPECT_EQ(code_of(client->admin().delete_group("g", 20s).get()), "ok");
    EXPECT_EQ(deleted(h2), 1);
}

TEST_F(AdminCalls, that_no_host_takes_are_unreachable) {
    client = connect({.endpoints = {h1.address()}});
    EXPECT_EQ(code_of(client->admin().delete_group("g", 300ms).get()), "unreachable");
    EXPECT_EQ(code_of(client->admin().server(300ms).get()), "unreachable");
    EXPECT_EQ(code_of(client->admin().server(0s).get()), "deadline_exceeded");
}

TEST_F(AdminCalls, carry_a_plugin_of_some_megabytes_but_not_one_that_fits_no_message) {
    h1.start();
    client = connect({.endpoints = {h1.address()}, .max_message_bytes = 4 << 20});
    client->admin().install_plugin(Bytes::take(std::string(3 << 20, 'p')), 20s).get();
    EXPECT_EQ(h1.run([&] { return h1.host().installed.size(); }), 3u << 20);
    auto refused = client->admin().install_plugin(Bytes::take(std::string(4 << 20, 'p')), 20s);
    EXPECT_EQ(code_of(refused.get()), "command_too_large");
    EXPECT_EQ(h1.run([&] { return h1.host().installed.size(); }), 3u << 20);
}

TEST_F(AdminCalls, names_with_a_zero_byte_are_not_cut_short) {
    start();
    std::string name("demo\0x", 6);
    client->admin().create_group(name, "p", "", {"h1"}, 20s).get();
    EXPECT_EQ(h1.run([&] { return h1.host().created->name; }), name);
}

}  // namespace
}  // namespace quorate::testing
