#include "plugins/kv/protocol.hpp"
#include "tests/rpc/raw_socket.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/load.hpp"
#include "tests/support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <iostream>
#include <latch>
#include <random>

// Bytes and connections that mean harm, against a host that serves others meanwhile.
namespace quorate::testing {
namespace {

// What one connection may hold (64 MiB of queued answers), and room for the allocator.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t memory_to_spare = 1600ull << 20;  // with the sanitizer's own book-keeping
#else
constexpr std::uint64_t memory_to_spare = 160ull << 20;
#endif
// Of which a large answer has twenty. To copy one byte takes ThreadSanitizer twenty times as long.
#if defined(__SANITIZE_THREAD__)
constexpr std::size_t value_bytes = 4 * 1024;
#else
constexpr std::size_t value_bytes = 50 * 1024;
#endif

class Hostile : public ::testing::Test {
 protected:
    Hostile() {
        cluster_.install(kv_plugin());
        cluster_.create_group("map", "quorate.kv");
        load_ = std::make_unique<Load>(
            LoadOptions{.endpoints = cluster_.endpoints(), .group = "map", .per_second = 200});
        load_->wait_for_more(50);
        before_ = target().process->resident_bytes();
    }
    ~Hostile() override {
        if (HasFailure()) return;
        load_->wait_for_more(50);
        load_->stop();
        cluster_.wait_equal("map");
        EXPECT_EQ(load_->verify(cluster_.client()), "");
    }

    ClusterHost& target() { return cluster_.host(cluster_.leader("map")); }
    std::array<std::uint16_t, 2> ports() {
        ClusterHost& host = target();
        return {host.client_port.port(), host.peer_port.port()};
    }
    // The host lives, answers, and has not grown beyond what it may.
    void expect_sound() {
        ClusterHost& host = target();
        ASSERT_TRUE(host.process->running());
        auto client = client::Client::connect({.endpoints = {host.client_port.address()}}).value();
        EXPECT_TRUE(client->admin().server(10s).get().has_value());
        std::uint64_t now = host.process->resident_bytes();
        EXPECT_LT(now, before_ + memory_to_spare) << before_ << " bytes before";
        std::cout << host.name << ": " << (before_ >> 20) << " MiB before, " << (now >> 20)
                  << " MiB after\n";
    }

    Cluster cluster_;
    std::unique_ptr<Load> load_;
    std::uint64_t before_ = 0;
};

bool is_closed(RawSocket& socket) {
    for (int i = 0; i < 500; ++i) {
        if (socket.closed_by_other_side()) return true;
        std::this_thread::sleep_for(20ms);
    }
    return false;
}

TEST_F(Hostile, the_four_bytes_that_overflow_others_cost_their_connection_only) {
    for (std::uint16_t port : ports()) {
        RawSocket socket(port);
        ASSERT_TRUE(socket.connected());
        socket.send("\xff\xff\xff\xff");
        EXPECT_TRUE(is_closed(socket)) << port;
    }
    expect_sound();
    EXPECT_THAT(read_text(target().log), ::testing::HasSubstr(" frame_refused "));
}

TEST_F(Hostile, frames_that_announce_more_than_is_allowed_are_cut_off_at_once) {
    // Segment counts and sizes of every power of two, in either order of bytes.
    for (std::uint16_t port : ports()) {
        for (unsigned shift = 16; shift < 32; ++shift) {
            std::string word;
            for (int i = 0; i < 4; ++i) word += static_cast<char>((1u << shift) >> (8 * i));
            RawSocket many(port);
            many.send(word);
            RawSocket large(port);
            large.send(std::string(4, '\0') + word);
            RawSocket both(port);
            both.send("\x01" + std::string(3, '\0') + word + word + std::string(8, 'x'));
            if (shift < 28) continue;
            EXPECT_TRUE(is_closed(many)) << port << " many 2^" << shift;
            EXPECT_TRUE(is_closed(large)) << port << " large 2^" << shift;
        }
    }
    expect_sound();
}

TEST_F(Hostile, random_bytes_cost_their_connection_only) {
    std::mt19937_64 random(20'240'601);
    for (int i = 0; i < 200; ++i) {
        for (std::uint16_t port : ports()) {
            RawSocket socket(port);
            std::string bytes(1 + random() % 4096, '\0');
            for (char& byte : bytes) byte = static_cast<char>(random());
            // Half of them begin like a message of one small segment.
            if (i % 2 == 0) bytes.replace(0, 8, std::string("\0\0\0\0\x08\0\0\0", 8));
            socket.send(bytes);
        }
    }
    expect_sound();
}

TEST_F(Hostile, half_a_frame_and_then_silence_holds_up_nobody) {
    std::vector<std::unique_ptr<RawSocket>> silent;
    for (int i = 0; i < 50; ++i) {
        for (std::uint16_t port : ports()) {
            silent.push_back(std::make_unique<RawSocket>(port));
            silent.back()->send(std::string("\0\0\0\0\xff\xff\0\0", 8) + "half");
        }
    }
    load_->wait_for_more(100);
    expect_sound();
}

TEST_F(Hostile, a_thousand_connections_are_borne) {
    std::vector<std::unique_ptr<RawSocket>> all;
    std::size_t connected = 0;
    for (int i = 0; i < 1000; ++i) {
        all.push_back(std::make_unique<RawSocket>(ports()[0]));
        connected += all.back()->connected() ? 1 : 0;
    }
    EXPECT_EQ(connected, all.size());
    load_->wait_for_more(100);
    expect_sound();
}

// Asks for two gigabytes of answers and takes none of them once all is asked for.
TEST_F(Hostile, a_client_that_stops_reading_does_not_make_the_host_hoard_its_answers) {
    constexpr int questions = 2000;
    auto client = client::Client::connect({.endpoints = {target().client_port.address()}}).value();
    auto group = client->group("map");
    for (int i = 0; i < 20; ++i) {
        std::string command = kv::put("z" + std::to_string(i), std::string(value_bytes, 'z'));
        auto outcome = group.submit(as_bytes(command), 10s).get();
        ASSERT_TRUE(std::holds_alternative<client::Applied>(outcome));
    }
    std::latch all_asked(1);
    std::latch test_over(1);
    std::atomic<int> answered = 0;
    std::string query = kv::range({.from = "z", .to = {}});
    for (int i = 0; i < questions; ++i) {
        group.query(client::ReadLevel::leader, as_bytes(query), 60s)
            .then([&](Result<client::Answer>) {
                ++answered;
                if (all_asked.try_wait()) test_over.wait();  // the client's only thread
            });
    }
    all_asked.count_down();
    load_->wait_for_more(400);
    EXPECT_LT(answered, questions / 2) << "the client was to stop reading early";
    expect_sound();
    test_over.count_down();
}

}  // namespace
}  // namespace quorate::testing
