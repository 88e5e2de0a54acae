#pragma once

#include "rpc/loop/event_loop.hpp"
#include "rpc/loop/tcp.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorate::testing {

// A frame of one segment that holds `text`, padded.
inline std::string make_frame(const std::string& text) {
    auto words = static_cast<std::uint32_t>((text.size() + 7) / 8);
    std::string frame = loop::make_frame_table(std::vector<std::uint32_t>{words});
    frame += text;
    frame.resize(8 + words * 8, '.');
    return frame;
}

// Notes what a connection tells.
class Notes final : public loop::Connection::Handler {
 public:
    void on_frame(Bytes frame) override {
        frames.push_back(std::string(frame.text().substr(8)));
        if (action) action();
    }
    void on_drained() override { ++drained; }
    void on_closed(const Error& why) override { closed = why; }

    std::vector<std::string> frames;
    int drained = 0;
    std::optional<Error> closed;
    std::function<void()> action;
};

// A loop on the test's thread, driven until something holds.
class LoopTest : public ::testing::Test {
 protected:
    ::testing::AssertionResult eventually(const std::function<bool()>& holds,
                                          Duration at_most = 10s) {
        if (scope.run_until(holds, at_most)) return ::testing::AssertionSuccess();
        return ::testing::AssertionFailure() << "not within the time";
    }

    loop::EventLoop loop;
    loop::EventLoop::Scope scope{loop};
};

// Two connected ends, the accepted one first.
class ConnectionTest : public LoopTest {
 protected:
    void listen() {
        auto opened = loop::Listener::open(loop, "127.0.0.1:0", [this](auto connection) {
            accepted.push_back(std::move(connection));
        });
        ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
        listener = std::move(*opened);
        address = to_string(listener->local());
    }

    std::unique_ptr<loop::Connection> dial() {
        std::unique_ptr<loop::Connection> dialled;
        loop::Connector connector(loop, address, 5s, [&dialled](auto result) {
            if (result.has_value()) dialled = std::move(*result);
        });
        std::size_t before = accepted.size();
        EXPECT_TRUE(eventually([&] { return dialled != nullptr && accepted.size() > before; }));
        return dialled;
    }

    std::unique_ptr<loop::Listener> listener;
    std::string address;
    std::vector<std::unique_ptr<loop::Connection>> accepted;
};

}  // namespace quorate::testing
