#pragma once

#include "host/base/check.hpp"
#include "rpc/client/io_thread.hpp"

#include <coroutine>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>

namespace quorate::client {

// Something that can be begun once and ends in exactly one T. It begins when it is consumed, in one
// of four ways: get(), future(), then() or co_await. Dropped without that, it never begins.
//
// Where it ends: on the client's thread, the client's end included; only if it is consumed after
// its client was destroyed does it end at once, on the thread that consumes it. What runs there (a
// completion, or a coroutine that is resumed) must neither block nor throw: an exception that
// leaves it ends the process. Thread: any, one at a time.
template <class T>
class Operation {
 public:
    using Completion = std::function<void(T)>;
    // `start` begins the operation and sees to it that its argument is called exactly once.
    explicit Operation(std::function<void(Completion)> start) : start_(std::move(start)) {}

    // Blocks until the end, at the latest half a second after the operation's own deadline. Never
    // on the thread of any client: it would wait for itself (BrokenInvariant).
    T get() {
        CHECK(!on_io_thread(), "get() may not be called on a client's thread");
        return future().get();
    }

    std::future<T> future() {
        auto promise = std::make_shared<std::promise<T>>();
        std::future<T> future = promise->get_future();
        begin([promise](T value) { promise->set_value(std::move(value)); });
        return future;
    }

    void then(Completion completion) { begin(std::move(completion)); }

    // For any coroutine: `co_await group.submit(...)`.
    auto operator co_await() && {
        struct Awaiter {
            Operation operation;
            std::optional<T> value = std::nullopt;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<> waiting) {
                // Resuming may destroy this object, and may happen before begin() returns.
                Operation mine = std::move(operation);
                mine.begin([this, waiting](T result) {
                    value.emplace(std::move(result));
                    waiting.resume();
                });
            }
            T await_resume() { return std::move(*value); }
        };
        return Awaiter{std::move(*this)};
    }

 private:
    void begin(Completion completion) {
        CHECK(start_ != nullptr, "an operation is consumed once");
        std::exchange(start_, nullptr)(std::move(completion));
    }

    std::function<void(Completion)> start_;
};

}  // namespace quorate::client
