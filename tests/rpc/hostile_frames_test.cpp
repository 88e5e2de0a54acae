// What a stranger can do to a port with plain bytes: it loses its own connection, nobody else does.

#include "tests/rpc/loop_fixture.hpp"
#include "tests/rpc/raw_socket.hpp"

#include <algorithm>
#include <random>

namespace quorate::testing {
namespace {

class HostileFrames : public LoopTest {
 protected:
    struct Served {
        std::unique_ptr<loop::Connection> connection;
        Notes notes;
    };

    void SetUp() override {
        auto opened = loop::Listener::open(loop, "127.0.0.1:0", [this](auto connection) {
            auto one = std::make_unique<Served>();
            one->connection = std::move(connection);
            one->connection->start(one->notes, options);
            served.push_back(std::move(one));
        });
        ASSERT_TRUE(opened.has_value());
        listener = std::move(*opened);
        friendly = std::make_unique<RawSocket>(listener->local().port);
        ASSERT_TRUE(eventually([&] { return served.size() == 1; }));
    }

    void expect_refused(const std::string& bytes) {
        std::size_t mine = served.size();
        RawSocket attacker(listener->local().port);
        attacker.send(bytes);
        ASSERT_TRUE(eventually([&] { return attacker.closed_by_other_side(); }));
        ASSERT_EQ(served.size(), mine + 1);
        ASSERT_TRUE(served[mine]->notes.closed.has_value());
        EXPECT_EQ(served[mine]->notes.closed->code, Errc::protocol);
        EXPECT_TRUE(served[mine]->notes.frames.empty());
        expect_friend_served();
    }

    void expect_friend_served() {
        std::size_t before = served[0]->notes.frames.size();
        friendly->send(make_frame("still on"));
        EXPECT_TRUE(eventually([&] { return served[0]->notes.frames.size() == before + 1; }));
        EXPECT_FALSE(served[0]->notes.closed.has_value());
    }

    loop::ConnectionOptions options;
    std::unique_ptr<loop::Listener> listener;
    std::vector<std::unique_ptr<Served>> served;
    std::unique_ptr<RawSocket> friendly;
};

TEST_F(HostileFrames, four_bytes_ff_cost_their_own_connection) {
    expect_refused("\xff\xff\xff\xff");
}

TEST_F(HostileFrames, huge_segment_counts_are_refused) {
    for (std::uint32_t count : {512u, 0x10000u, 0x7fffffffu, 0x80000000u, 0xfffffffeu}) {
        expect_refused(little_endian({count, 0, 0, 0}));
    }
}

TEST_F(HostileFrames, huge_sizes_are_refused) {
    for (std::uint32_t words : {0x00800000u, 0x20000000u, 0xffffffffu}) {
        expect_refused(little_endian({0, words}));
        expect_refused(little_endian({2, 1, words}));
    }
}

TEST_F(HostileFrames, empty_frames_are_refused) {
    expect_refused(little_endian({0, 0, 0, 0}));
}

TEST_F(HostileFrames, other_protocols_are_refused) {
    expect_refused("GET / HTTP/1.1\r\nHost: quorate\r\n\r\n");
    expect_refused("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    expect_refused("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
}

TEST_F(HostileFrames, a_bad_frame_after_good_ones_ends_it_there) {
    RawSocket attacker(listener->local().port);
    attacker.send(make_frame("good one") + make_frame("good two") + "\xff\xff\xff\xff");
    ASSERT_TRUE(eventually([&] { return attacker.closed_by_other_side(); }));
    EXPECT_EQ(served[1]->notes.frames.size(), 2u);
    expect_friend_served();
}

TEST_F(HostileFrames, a_header_that_trickles_in_runs_out_of_time) {
    options.frames.patience = 30ms;
    options.frames.min_bytes_per_second = 1ull << 40;
    RawSocket attacker(listener->local().port);
    Time next = loop.now();
    std::size_t sent = 0;
    const std::string table = little_endian({200});
    ASSERT_TRUE(eventually([&] {
        if (loop.now() > next && sent < 3) {
            attacker.send(table.substr(sent++, 1));
            next = loop.now() + 5ms;
            loop.at(next, [] {});
        }
        return attacker.closed_by_other_side();
    }));
    EXPECT_EQ(served[1]->notes.closed->code, Errc::protocol);
    expect_friend_served();
}

TEST_F(HostileFrames, a_large_body_that_stops_half_way_runs_out_of_time) {
    options.frames.patience = 30ms;
    options.frames.min_bytes_per_second = 1ull << 40;
    RawSocket attacker(listener->local().port);
    attacker.send(little_endian({0, 1 << 20}) + std::string(1000, 'x'));
    ASSERT_TRUE(eventually([&] { return attacker.closed_by_other_side(); }));
    EXPECT_EQ(served[1]->notes.closed->code, Errc::protocol);
    expect_friend_served();
}

TEST_F(HostileFrames, random_bytes_never_cost_anybody_else_anything) {
    const std::uint32_t seed = 20;
    std::mt19937 random(seed);
    for (int round = 0; round < 50; ++round) {
        std::string bytes(random() % 400, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        RawSocket attacker(listener->local().port);
        attacker.send(bytes);
    }
    ASSERT_TRUE(eventually([&] {
        return served.size() == 51 &&
               std::ranges::all_of(served.begin() + 1, served.end(),
                                   [](auto& one) { return one->notes.closed.has_value(); });
    })) << "seed "
        << seed;
    expect_friend_served();
}

}  // namespace
}  // namespace quorate::testing
