#include "rpc/peers.hpp"

#include "host/base/log.hpp"
#include "rpc/codec.hpp"
#include "tests/rpc/loop_fixture.hpp"
#include "tests/rpc/raw_socket.hpp"

#include <algorithm>
#include <map>
#include <memory>

namespace quorate::testing {
namespace {

using group::KnownHost;
using rpc::Peers;
using rpc::PeersOptions;

// One host's end, with what it was told.
class Inbox final : public group::PeerReceiver {
 public:
    void receive(const group::HostName& from, group::PeerMessage message) override {
        const auto* response = std::get_if<group::Response>(&message);
        messages.emplace_back(from, response ? response->id : std::get<group::Request>(message).id);
        last = std::move(message);
    }
    void connected(const group::HostName& host) override {
        ++ups;
        up.insert_or_assign(host, true);
    }
    void disconnected(const group::HostName& host) override {
        ++downs;
        up.insert_or_assign(host, false);
    }
    bool is_up(const std::string& host) const {
        auto found = up.find(host);
        return found != up.end() && found->second;
    }

    std::vector<std::pair<std::string, std::uint64_t>> messages;
    group::PeerMessage last;
    std::map<std::string, bool> up;
    int ups = 0;
    int downs = 0;
};

group::PeerMessage ping(std::uint64_t id) {
    return group::Request{id, 1s, group::PingRequest{}};
}

struct Node {
    Inbox inbox;
    std::unique_ptr<Peers> peers;
};

class PeersTest : public LoopTest {
 protected:
    PeersOptions options(const std::string& name, std::vector<std::string> seeds = {}) {
        PeersOptions out;
        out.cluster = "test";
        out.name = name;
        out.incarnation = ++runs;
        out.software = "test";
        out.listen = "127.0.0.1:0";
        out.seeds = std::move(seeds);
        out.backoff_min = 1ms;
        out.backoff_max = 20ms;
        return out;
    }
    std::unique_ptr<Node> start(PeersOptions with) {
        auto node = std::make_unique<Node>();
        auto opened = Peers::open(loop, std::move(with));
        EXPECT_TRUE(opened.has_value()) << to_string(opened.error());
        node->peers = std::move(*opened);
        node->peers->start(node->inbox, "client:1");
        return node;
    }
    bool joined(const Node& a, const std::string& b) { return a.inbox.is_up(b); }

    std::uint64_t runs = 100;
};

std::vector<std::string> names(const std::vector<KnownHost>& hosts) {
    std::vector<std::string> out;
    for (const KnownHost& host : hosts) out.push_back(host.name);
    std::ranges::sort(out);
    return out;
}

TEST_F(PeersTest, two_hosts_meet_by_one_seed_and_exchange_messages_in_order) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        a->peers->send("b", ping(i));
        b->peers->send("a", ping(i));
    }
    ASSERT_TRUE(eventually(
        [&] { return a->inbox.messages.size() == 1000 && b->inbox.messages.size() == 1000; }));
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        EXPECT_EQ(b->inbox.messages[i - 1], (std::pair<std::string, std::uint64_t>("a", i)));
    }
    EXPECT_EQ(a->peers->dropped_messages(), 0u);
}

TEST_F(PeersTest, a_seed_where_no_host_was_met_is_told_of_until_one_is) {
    auto a = start(options("a"));
    auto gone = start(options("gone"));
    std::string silent = gone->peers->address();
    gone.reset();
    auto b = start(options("b", {a->peers->address(), silent}));
    EXPECT_EQ(b->peers->unmet_seeds(), (std::vector<std::string>{a->peers->address(), silent}));
    ASSERT_TRUE(eventually([&] { return joined(*b, "a"); }));
    EXPECT_EQ(b->peers->unmet_seeds(), std::vector<std::string>{silent});
    EXPECT_EQ(names(b->peers->hosts()), (std::vector<std::string>{"a", "b"}));
}

TEST_F(PeersTest, a_seed_that_is_known_by_its_name_is_not_told_of) {
    auto gone = start(options("gone"));
    std::string silent = gone->peers->address();
    gone.reset();
    PeersOptions with = options("b", {silent});
    with.known = {{.name = "c", .peer_address = silent}};
    EXPECT_TRUE(start(with)->peers->unmet_seeds().empty());
    // The same host, perhaps, as somebody told of it.
    with.seeds = {"localhost" + silent.substr(silent.rfind(':'))};
    EXPECT_TRUE(start(with)->peers->unmet_seeds().empty());
    with.seeds.push_back(silent);  // no: that one is this
    EXPECT_EQ(start(with)->peers->unmet_seeds(), std::vector<std::string>{with.seeds.front()});
}

TEST_F(PeersTest, three_hosts_that_know_one_find_each_other) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    auto c = start(options("c", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] {
        return joined(*a, "b") && joined(*a, "c") && joined(*b, "a") && joined(*b, "c") &&
               joined(*c, "a") && joined(*c, "b");
    }));
    for (const auto& node : {a.get(), b.get(), c.get()}) {
        auto hosts = node->peers->hosts();
        EXPECT_EQ(names(hosts), (std::vector<std::string>{"a", "b", "c"}));
        for (const KnownHost& host : hosts) {
            EXPECT_TRUE(host.connected) << host.name;
            EXPECT_EQ(host.client_address, "client:1");
        }
    }
}

TEST_F(PeersTest, a_host_that_comes_last_is_told_of_to_those_that_are_connected) {
    // d is told to c by b's news, not by a hello: c dials nobody by itself and b knew c first.
    auto b = start(options("b"));
    auto c = start(options("c", {b->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*b, "c") && joined(*c, "b"); }));
    std::vector<std::string> told;
    c->peers->on_new_hosts([&](const std::vector<KnownHost>& hosts) { told = names(hosts); });
    b->peers->meet({{"d", "127.0.0.1:1", ""}});
    ASSERT_TRUE(eventually([&] { return told.size() == 3; }));
    EXPECT_EQ(told, (std::vector<std::string>{"b", "c", "d"}));
}

TEST_F(PeersTest, a_host_that_restarts_is_connected_again) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    PeersOptions again = options("b", {a->peers->address()});
    again.listen = b->peers->address();
    b.reset();
    ASSERT_TRUE(eventually([&] { return !joined(*a, "b"); }));
    a->peers->send("b", ping(1));
    EXPECT_EQ(a->peers->dropped_messages(), 1u);
    b = start(again);
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    a->peers->send("b", ping(2));
    ASSERT_TRUE(eventually([&] { return b->inbox.messages.size() == 1; }));
    EXPECT_EQ(a->inbox.downs, 1);
}

// The host that asks is back and connected before the other has dialled it again: the pause of that one
// must end with the hello, and an answer that comes earlier must wait for the connection.
TEST_F(PeersTest, a_host_that_restarts_is_answered_at_once) {
    PeersOptions patient = options("a");
    patient.backoff_min = patient.backoff_max = 1h;
    auto a = start(patient);
    PeersOptions first = options("b", {a->peers->address()});
    auto b = start(first);
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    std::string address = b->peers->address();
    b.reset();
    ASSERT_TRUE(eventually([&] { return !joined(*a, "b"); }));
    a->peers->send("b", group::Response{.id = 7, .body = group::Done{}});
    PeersOptions again = options("b", {a->peers->address()});
    again.listen = address;
    b = start(again);
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && b->inbox.messages.size() == 1; }));
    EXPECT_EQ(b->inbox.messages[0], (std::pair<std::string, std::uint64_t>("a", 7)));
}

TEST_F(PeersTest, a_host_that_moves_to_another_port_is_followed) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    std::string former = b->peers->address();
    b.reset();
    ASSERT_TRUE(eventually([&] { return !joined(*a, "b"); }));
    auto taken = loop::Listener::open(loop, former, [](auto) {});
    b = start(options("b", {a->peers->address()}));
    ASSERT_NE(b->peers->address(), former);
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
}

TEST_F(PeersTest, a_host_of_another_cluster_is_refused) {
    auto a = start(options("a"));
    PeersOptions other = options("b", {a->peers->address()});
    other.cluster = "another";
    std::vector<std::string> said;
    log::set_sink([&](const log::Event& event) {
        for (const log::Field& field : event.fields) {
            if (field.key == "why") said.push_back(std::get<std::string>(field.value));
        }
    });
    auto b = start(other);
    ASSERT_TRUE(eventually([&] {
        return std::ranges::any_of(said, [](const std::string& why) {
            return why.find("cluster_mismatch") != std::string::npos &&
                   why.find("refused this host") != std::string::npos;
        });
    }));
    log::set_sink({});
    EXPECT_EQ(a->inbox.ups + b->inbox.ups, 0);
    EXPECT_EQ(names(a->peers->hosts()), std::vector<std::string>{"a"});
}

TEST_F(PeersTest, a_second_process_under_a_connected_hosts_name_is_refused) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    auto imposter = start(options("b", {a->peers->address()}));
    EXPECT_FALSE(eventually([&] { return imposter->inbox.ups > 0; }, 50ms));
    EXPECT_TRUE(joined(*a, "b"));
    a->peers->send("b", ping(1));
    ASSERT_TRUE(eventually([&] { return b->inbox.messages.size() == 1; }));
    // Once the first is gone for good the name is free.
    b.reset();
    ASSERT_TRUE(eventually([&] { return joined(*imposter, "a") && joined(*a, "b"); }));
}

TEST_F(PeersTest, a_seed_that_is_the_host_itself_does_no_harm) {
    auto holder = loop::Listener::open(loop, "127.0.0.1:0", [](auto) {});
    std::string address = to_string((*holder)->local());
    holder->reset();
    PeersOptions with =
        options("a", {address, "localhost:" + std::to_string(loop::parse_endpoint(address)->port)});
    with.listen = address;
    auto a = start(with);
    auto b = start(options("b", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    EXPECT_EQ(names(a->peers->hosts()), (std::vector<std::string>{"a", "b"}));
    EXPECT_FALSE(joined(*a, "a"));
}

TEST_F(PeersTest, a_partition_cuts_both_ways_and_heals) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    auto c = start(options("c", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] {
        return joined(*a, "b") && joined(*a, "c") && joined(*b, "a") && joined(*b, "c") &&
               joined(*c, "a") && joined(*c, "b");
    }));
    a->peers->partition({"b", "c"});
    ASSERT_TRUE(eventually([&] {
        return !joined(*a, "b") && !joined(*a, "c") && !joined(*b, "a") && !joined(*c, "a");
    }));
    b->peers->send("a", ping(1));
    EXPECT_FALSE(eventually([&] { return joined(*b, "a") || !a->inbox.messages.empty(); }, 50ms));
    EXPECT_TRUE(joined(*b, "c"));
    a->peers->partition({});
    ASSERT_TRUE(eventually(
        [&] { return joined(*a, "b") && joined(*a, "c") && joined(*b, "a") && joined(*c, "a"); }));
}

TEST_F(PeersTest, a_silent_peer_is_given_up) {
    // It takes the connection, and never says a word.
    std::vector<std::unique_ptr<loop::Connection>> mute;
    auto silent = loop::Listener::open(
        loop, "127.0.0.1:0", [&](auto connection) { mute.push_back(std::move(connection)); });
    PeersOptions with = options("a", {to_string((*silent)->local())});
    with.hello_timeout = 10ms;
    auto a = start(with);
    ASSERT_TRUE(eventually([&] { return mute.size() >= 3; }));
    EXPECT_EQ(a->inbox.ups, 0);
}

// A peer in the same test that greets, and then does as it is told.
class ScriptedPeer final : public loop::Connection::Handler {
 public:
    void on_frame(Bytes bytes) override {
        auto frame = rpc::decode_frame(bytes);
        if (frame.has_value()) frames.push_back(std::move(*frame));
    }
    void on_closed(const Error&) override { closed = true; }
    void send(const rpc::PeerFrame& frame) { connection->send(rpc::encode_frame(frame)); }

    std::unique_ptr<loop::Connection> connection;
    std::vector<rpc::PeerFrame> frames;
    bool closed = false;
};

class ScriptedTest : public PeersTest {
 protected:
    rpc::Hello hello(const std::string& name) {
        return {.protocol = 1,
                .protocol_oldest = 1,
                .software = "script",
                .cluster = "test",
                .incarnation = 7,
                .self = {name, "127.0.0.1:1", ""}};
    }
    // Where the peer is dialled, and answers the hello by this name.
    std::unique_ptr<loop::Listener> accept_as(const std::string& name, ScriptedPeer& peer) {
        auto listener = loop::Listener::open(loop, "127.0.0.1:0", [this, name, &peer](auto from) {
            peer.connection = std::move(from);
            peer.connection->start(peer, {});
            peer.send(rpc::Accepted{hello(name)});
        });
        return std::move(listener.value());
    }
    // Dialled to the node.
    void dial(Node& node, ScriptedPeer& peer) {
        loop::Connector connector(loop, node.peers->address(), 5s,
                                  [&](auto result) { peer.connection = std::move(*result); });
        ASSERT_TRUE(eventually([&] { return peer.connection != nullptr; }));
        peer.connection->start(peer, {});
    }
};

TEST_F(ScriptedTest, a_connected_peer_that_answers_no_ping_is_given_up) {
    ScriptedPeer peer;
    auto listener = accept_as("s", peer);
    PeersOptions with = options("a", {to_string(listener->local())});
    with.ping_interval = 5ms;
    with.dead_after = 20ms;
    auto a = start(with);
    ASSERT_TRUE(eventually([&] { return joined(*a, "s"); }));
    ASSERT_TRUE(eventually([&] { return !joined(*a, "s"); }));
    EXPECT_EQ(a->inbox.downs, 1);
}

TEST_F(ScriptedTest, a_dialling_peer_that_falls_silent_is_given_up) {
    PeersOptions with = options("a");
    with.dead_after = 20ms;
    auto a = start(with);
    ScriptedPeer peer;
    dial(*a, peer);
    peer.send(hello("s"));
    ASSERT_TRUE(eventually([&] { return peer.closed; }));
    EXPECT_TRUE(std::holds_alternative<rpc::Accepted>(peer.frames.at(0)));
}

TEST_F(ScriptedTest, a_version_without_common_ground_is_refused_with_both_ranges) {
    auto a = start(options("a"));
    ScriptedPeer peer;
    dial(*a, peer);
    rpc::Hello future = hello("s");
    future.protocol = 9;
    future.protocol_oldest = 8;
    peer.send(future);
    ASSERT_TRUE(eventually([&] { return !peer.frames.empty(); }));
    const auto& refused = std::get<rpc::RefusedHello>(peer.frames[0]);
    EXPECT_EQ(refused.why.code, Errc::version_mismatch);
    EXPECT_NE(refused.why.what.find("8 to 9"), std::string::npos) << refused.why.what;
    ASSERT_TRUE(eventually([&] { return peer.closed; }));
}

TEST_F(ScriptedTest, pings_are_answered) {
    auto a = start(options("a"));
    ScriptedPeer peer;
    dial(*a, peer);
    peer.send(hello("s"));
    peer.send(rpc::Ping{12});
    ASSERT_TRUE(eventually([&] { return peer.frames.size() == 2; }));
    EXPECT_EQ(std::get<rpc::Pong>(peer.frames[1]).number, 12u);
}

TEST_F(ScriptedTest, a_second_connection_of_the_same_process_leaves_the_first_alone) {
    // It dialled by a seed and by name at once, and has not yet closed the one it does not need.
    auto a = start(options("a"));
    ScriptedPeer first;
    ScriptedPeer second;
    for (ScriptedPeer* peer : {&first, &second}) {
        dial(*a, *peer);
        peer->send(hello("s"));
        ASSERT_TRUE(eventually([&] { return !peer->frames.empty(); }));
        EXPECT_TRUE(std::holds_alternative<rpc::Accepted>(peer->frames[0]));
    }
    for (ScriptedPeer* peer : {&second, &first}) {
        rpc::Batch batch;
        batch.messages.push_back(ping(1));
        peer->send(batch);
    }
    ASSERT_TRUE(eventually([&] { return a->inbox.messages.size() == 2; }));
    EXPECT_FALSE(first.closed || second.closed);
}

TEST_F(ScriptedTest, messages_before_a_hello_close_the_connection_and_reach_nobody) {
    auto a = start(options("a"));
    ScriptedPeer peer;
    dial(*a, peer);
    rpc::Batch batch;
    batch.messages.push_back(ping(1));
    peer.send(batch);
    ASSERT_TRUE(eventually([&] { return peer.closed; }));
    EXPECT_TRUE(a->inbox.messages.empty());
}

TEST_F(ScriptedTest, a_malformed_message_closes_its_connection_only) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    ScriptedPeer peer;
    dial(*a, peer);
    peer.send(hello("s"));
    rpc::Batch batch;
    batch.messages.push_back(ping(0));  // no request has id 0
    peer.send(batch);
    ASSERT_TRUE(eventually([&] { return peer.closed; }));
    b->peers->send("a", ping(5));
    ASSERT_TRUE(eventually([&] { return a->inbox.messages.size() == 1; }));
    EXPECT_EQ(a->inbox.downs, 0);
}

TEST_F(ScriptedTest, garbage_on_the_peer_port_costs_its_own_connection) {
    auto a = start(options("a"));
    auto b = start(options("b", {a->peers->address()}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "b") && joined(*b, "a"); }));
    for (std::string bytes :
         {std::string("\xff\xff\xff\xff"), std::string("GET / HTTP/1.0\r\n\r\n"),
          make_frame("well framed nonsense")}) {
        RawSocket attacker(loop::parse_endpoint(a->peers->address())->port);
        attacker.send(bytes);
        ASSERT_TRUE(eventually([&] { return attacker.closed_by_other_side(); }));
    }
    EXPECT_TRUE(joined(*a, "b") && joined(*b, "a"));
    EXPECT_EQ(a->inbox.downs + b->inbox.downs, 0);
}

TEST_F(ScriptedTest, a_host_that_does_not_read_is_sent_no_more_than_the_bound) {
    ScriptedPeer peer;
    auto listener = accept_as("s", peer);
    PeersOptions with = options("a", {to_string(listener->local())});
    with.max_queued_bytes = 8 << 20;
    auto a = start(with);
    ASSERT_TRUE(eventually([&] { return joined(*a, "s"); }));
    peer.connection->pause();
    Bytes payload = Bytes::take(std::string(1 << 20, 'x'));
    for (int i = 0; i < 64; ++i) {
        a->peers->send("s", group::Request{1, 1s, group::SubmitRequest{GroupId(1), payload}});
        scope.run_until([] { return false; }, 500us);
    }
    EXPECT_GT(a->peers->dropped_messages(), 20u);
    EXPECT_TRUE(joined(*a, "s"));
    peer.connection->resume();
    std::size_t sent = 64 - a->peers->dropped_messages();
    auto arrived = [&] {
        std::size_t count = 0;
        for (const auto& frame : peer.frames) {
            if (const auto* batch = std::get_if<rpc::Batch>(&frame))
                count += batch->messages.size();
        }
        return count;
    };
    EXPECT_TRUE(eventually([&] { return arrived() == sent; })) << arrived() << " of " << sent;
}

// Else who asked would wait for it until its deadline.
TEST_F(ScriptedTest, an_answer_that_finds_no_room_is_given_in_short) {
    ScriptedPeer peer;
    auto listener = accept_as("s", peer);
    PeersOptions with = options("a", {to_string(listener->local())});
    with.max_queued_bytes = 1 << 20;
    auto a = start(with);
    ASSERT_TRUE(eventually([&] { return joined(*a, "s"); }));
    // Within one turn: nothing leaves meanwhile.
    Bytes large = Bytes::take(std::string(900 << 10, 'x'));
    group::Outcome applied = group::Applied{{Term(1), Index(1)}, large};
    group::QueryAnswer answer{{Term(1), Index(1)}, large, ""};
    a->peers->send("s", group::Response{.id = 1, .body = applied});
    a->peers->send("s", group::Response{.id = 2, .body = applied});
    a->peers->send("s", group::Response{.id = 3, .body = answer});
    EXPECT_EQ(a->peers->dropped_messages(), 2u);
    std::map<std::uint64_t, group::Response> said;
    auto heard = [&] {
        for (const auto& frame : peer.frames) {
            const auto* batch = std::get_if<rpc::Batch>(&frame);
            if (batch == nullptr) continue;
            for (const auto& message : batch->messages) {
                if (const auto* one = std::get_if<group::Response>(&message)) said[one->id] = *one;
            }
        }
        return said.size() == 3;
    };
    ASSERT_TRUE(eventually(heard));
    EXPECT_TRUE(std::holds_alternative<group::Applied>(std::get<group::Outcome>(said[1].body)));
    const auto& lost = std::get<group::Outcome>(said[2].body);
    ASSERT_TRUE(std::holds_alternative<group::Unknown>(lost)) << "it was applied";
    EXPECT_EQ(std::get<group::Unknown>(lost).error.code, Errc::overloaded);
    ASSERT_TRUE(said[3].failed);
    EXPECT_EQ(said[3].error.code, Errc::overloaded);
}

TEST_F(ScriptedTest, bulk_waits_for_what_is_urgent) {
    ScriptedPeer peer;
    auto listener = accept_as("s", peer);
    auto a = start(options("a", {to_string(listener->local())}));
    ASSERT_TRUE(eventually([&] { return joined(*a, "s"); }));
    group::SnapshotPiece piece{GroupId(1), MemberId(1), MemberId(2), {Term(1), Index(1)}};
    piece.bytes = Bytes::take(std::string(1 << 20, 'x'));
    piece.total = piece.bytes.size();
    for (int i = 0; i < 4; ++i) a->peers->send("s", piece);
    a->peers->send("s", ping(1));
    std::vector<std::size_t> kinds;
    ASSERT_TRUE(eventually([&] {
        kinds.clear();
        for (const auto& frame : peer.frames) {
            const auto* batch = std::get_if<rpc::Batch>(&frame);
            if (batch == nullptr) continue;
            for (const auto& message : batch->messages) kinds.push_back(message.index());
        }
        return kinds.size() == 5;
    }));
    EXPECT_TRUE(kinds.front() == 3) << "the request overtook the pieces";
}

TEST_F(LoopTest, a_wildcard_address_needs_one_to_advertise) {
    PeersOptions with;
    with.name = "a";
    with.incarnation = 1;
    with.listen = "0.0.0.0:0";
    auto opened = Peers::open(loop, with);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, Errc::address_invalid);
}

}  // namespace
}  // namespace quorate::testing
