#include "rpc/loop/connection.hpp"

#include "tests/rpc/loop_fixture.hpp"
#include "tests/rpc/raw_socket.hpp"

#include <random>

namespace quorate::testing {
namespace {

using loop::Connection;
using loop::ConnectionOptions;

void send_text(Connection& connection, const std::string& text) {
    std::string frame = make_frame(text);
    ByteView view = as_bytes(frame);
    connection.send_copy(std::span(&view, 1));
}

std::string text_of(std::size_t bytes, char letter) {
    return std::string(bytes, letter);
}

class Pair : public ConnectionTest {
 protected:
    void SetUp() override { listen(); }
    void connect(const ConnectionOptions& options = {}) {
        a = dial();
        ASSERT_TRUE(a != nullptr);
        b = std::move(accepted.back());
        a->start(a_notes, options);
        b->start(b_notes, options);
    }
    std::unique_ptr<Connection> a, b;
    Notes a_notes, b_notes;
};

TEST_F(Pair, frames_arrive_whole_and_in_order_whatever_their_sizes) {
    connect();
    std::mt19937 random(11);
    std::vector<std::string> sent;
    for (int i = 0; i < 300; ++i) {
        std::size_t size = 8 * (1 + (i % 50 == 0 ? random() % 200'000 : random() % 40));
        sent.push_back(text_of(size, static_cast<char>('a' + i % 26)));
        if (random() % 2 == 0) {
            send_text(*a, sent.back());
        } else {
            Bytes piece = Bytes::take(make_frame(sent.back()));
            a->send(std::span(&piece, 1));
        }
    }
    ASSERT_TRUE(eventually([&] { return b_notes.frames.size() == sent.size(); }));
    EXPECT_EQ(b_notes.frames, sent);
    EXPECT_EQ(a->queued_bytes(), 0u);
}

TEST_F(Pair, received_frames_are_aligned_for_words) {
    connect();
    class Alignment final : public Connection::Handler {
     public:
        void on_frame(Bytes frame) override {
            ++frames;
            misaligned += reinterpret_cast<std::uintptr_t>(frame.view().data()) % 8 != 0;
        }
        void on_closed(const Error&) override {}
        int frames = 0;
        int misaligned = 0;
    } alignment;
    auto c = dial();
    ASSERT_TRUE(c != nullptr);
    accepted.back()->start(alignment, {});
    Notes ignored;
    c->start(ignored, {});
    for (std::size_t size : {8u, 16u, 1000u, 300'000u}) send_text(*c, text_of(size, 'x'));
    ASSERT_TRUE(eventually([&] { return alignment.frames == 4; }));
    EXPECT_EQ(alignment.misaligned, 0);
}

TEST_F(Pair, the_other_sides_end_is_told_once) {
    connect();
    b.reset();
    ASSERT_TRUE(eventually([&] { return a_notes.closed.has_value(); }));
    EXPECT_EQ(a_notes.closed->code, Errc::unreachable);
    EXPECT_TRUE(a->is_closed());
    send_text(*a, "into the void");
    EXPECT_EQ(a->queued_bytes(), 0u);
}

TEST_F(Pair, a_handler_may_destroy_its_connection_in_the_middle_of_a_batch) {
    connect();
    b_notes.action = [this] { b.reset(); };
    for (int i = 0; i < 5; ++i) send_text(*a, "frame");
    ASSERT_TRUE(eventually([&] { return a_notes.closed.has_value(); }));
    EXPECT_EQ(b_notes.frames.size(), 1u);
}

TEST_F(Pair, a_paused_connection_pushes_back_and_loses_nothing) {
    connect();
    b->pause();
    const std::string text = text_of(1 << 20, 'p');
    for (int i = 0; i < 20; ++i) send_text(*a, text);
    EXPECT_FALSE(
        eventually([&] { return a->queued_bytes() == 0 || !b_notes.frames.empty(); }, 50ms));
    b->resume();
    ASSERT_TRUE(eventually([&] { return b_notes.frames.size() == 20; }));
    EXPECT_GE(a_notes.drained, 1);
}

TEST_F(Pair, a_side_that_does_not_read_is_closed_at_the_bound) {
    connect({.max_queued_bytes = 4 << 20});
    b->pause();
    const std::string text = text_of(1 << 20, 'p');
    for (int i = 0; i < 64 && !a_notes.closed; ++i) {
        send_text(*a, text);
        scope.run_until([] { return false; }, 1ms);
    }
    ASSERT_TRUE(eventually([&] { return a_notes.closed.has_value(); }));
    EXPECT_EQ(a_notes.closed->code, Errc::overloaded);
}

TEST_F(Pair, what_is_sent_in_one_turn_is_bounded_too) {
    connect({.max_queued_bytes = 1 << 20});
    b->pause();
    std::size_t most = 0;
    for (int i = 0; i < 100; ++i) {
        send_text(*a, text_of(512 << 10, 'x'));
        most = std::max(most, a->queued_bytes());
    }
    EXPECT_LE(most, 3u << 20) << "twice the limit, and a frame";
    ASSERT_TRUE(eventually([&] { return a_notes.closed.has_value(); }));
    EXPECT_EQ(a_notes.closed->code, Errc::overloaded);
    EXPECT_TRUE(b_notes.frames.empty());
}

TEST_F(Pair, a_side_that_takes_nothing_for_the_stall_timeout_is_closed) {
    connect({.stall_timeout = 30ms});
    b->pause();
    for (int i = 0; i < 16; ++i) send_text(*a, text_of(1 << 20, 'p'));
    ASSERT_TRUE(eventually([&] { return a_notes.closed.has_value(); }));
    EXPECT_EQ(a_notes.closed->code, Errc::overloaded);
}

TEST_F(Pair, silence_ends_a_connection_that_asks_for_it) {
    connect({.idle_timeout = 20ms});
    ASSERT_TRUE(eventually([&] { return a_notes.closed.has_value(); }));
    EXPECT_EQ(a_notes.closed->code, Errc::unreachable);
}

TEST_F(Pair, finish_delivers_what_is_queued) {
    connect();
    for (int i = 0; i < 10; ++i) send_text(*a, text_of(1 << 20, 'f'));
    send_text(*a, "last....");
    a->finish();
    a.reset();
    ASSERT_TRUE(eventually([&] { return b_notes.closed.has_value(); }));
    ASSERT_EQ(b_notes.frames.size(), 11u);
    EXPECT_EQ(b_notes.frames.back(), "last....");
}

TEST_F(LoopTest, connecting_to_nobody_fails_as_unreachable) {
    std::optional<Error> error;
    auto note = [&](Result<std::unique_ptr<Connection>> result) {
        ASSERT_FALSE(result.has_value());
        error = result.error();
    };
    {
        std::string address;
        {
            auto listener = loop::Listener::open(loop, "127.0.0.1:0", [](auto) {});
            address = to_string((*listener)->local());
        }
        loop::Connector connector(loop, address, 5s, note);
        ASSERT_TRUE(eventually([&] { return error.has_value(); }));
        EXPECT_EQ(error->code, Errc::unreachable);
    }
    error.reset();
    loop::Connector nonsense(loop, "no port here", 5s, note);
    ASSERT_TRUE(eventually([&] { return error.has_value(); }));
    EXPECT_EQ(error->code, Errc::address_invalid);
}

TEST_F(LoopTest, two_listeners_cannot_share_a_port) {
    auto first = loop::Listener::open(loop, "127.0.0.1:0", [](auto) {});
    ASSERT_TRUE(first.has_value());
    auto second = loop::Listener::open(loop, to_string((*first)->local()), [](auto) {});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Errc::address_in_use);
}

TEST(Endpoint, is_read_and_written_as_host_and_port) {
    EXPECT_EQ(loop::parse_endpoint("localhost:1")->host, "localhost");
    EXPECT_EQ(loop::parse_endpoint("[::1]:7700")->host, "::1");
    EXPECT_EQ(to_string(*loop::parse_endpoint("[::1]:7700")), "[::1]:7700");
    for (const char* bad :
         {"", ":", "a", "a:", ":1", "a:b", "a:65536", "a:-1", "a:1x", "::1:5", "a:1 "}) {
        ASSERT_FALSE(loop::parse_endpoint(bad).has_value()) << bad;
        EXPECT_EQ(loop::parse_endpoint(bad).error().code, Errc::address_invalid);
    }
}

}  // namespace
}  // namespace quorate::testing
