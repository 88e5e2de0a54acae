#pragma once

#include "rpc/client/client.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// What the programs share that stand beside a cluster while `./dev bench` measures it.
namespace quorate::bench {

[[noreturn]] inline void die(std::string_view program, const std::string& what) {
    fmt::print(stderr, "{}: {}\n", program, what);
    std::exit(1);
}

// CLOCK_MONOTONIC, which all processes of a machine share.
inline std::int64_t nanoseconds() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline std::unique_ptr<client::Client> connect(std::string_view program,
                                               std::vector<std::string> endpoints) {
    auto made = client::Client::connect(
        {.endpoints = std::move(endpoints), .software = fmt::format("quorate-{}", program)});
    if (!made.has_value()) die(program, to_string(made.error()));
    return std::move(*made);
}

// Over when nobody holds standard input open any more.
class Until {
 public:
    Until() : thread_([this] { read(); }) {}
    ~Until() { thread_.join(); }
    bool over() const { return over_; }
    void wait() const { ended_.wait(); }
    // Whether it is over, which it waits for no longer than this.
    bool over_within(Duration longest) const {
        return ended_.wait_for(longest) == std::future_status::ready;
    }

 private:
    void read() {
        while (std::getchar() != EOF) {
        }
        over_ = true;
        end_.set_value();
    }

    std::atomic<bool> over_ = false;
    std::promise<void> end_;
    std::future<void> ended_ = end_.get_future();
    std::thread thread_;
};

}  // namespace quorate::bench
