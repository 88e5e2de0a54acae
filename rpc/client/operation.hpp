#pragma once

#include <coroutine>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>

namespace quorate::client {

// Something under way that ends in exactly one T. Consume it once, in one of three ways.
// Dropping it without consuming lets it run on unseen.
template <class T>
class Operation {
 public:
    using Completion = std::function<void(T)>;
    // `start` begins the operation and later calls its argument exactly once, on the client's
    // thread. It runs when the operation is consumed.
    explicit Operation(std::function<void(Completion)> start) : start_(std::move(start)) {}

    // Blocks until the end. Never on the client's own thread (from a callback): it would wait for itself.
    T get() {
        auto promise = std::make_shared<std::promise<T>>();
        std::future<T> future = promise->get_future();
        start_([promise](T value) { promise->set_value(std::move(value)); });
        return future.get();
    }

    // `completion` runs on the client's thread; it must not block.
    void then(Completion completion) { start_(std::move(completion)); }

    // For any coroutine; resumed on the client's thread.
    auto operator co_await() && {
        struct Awaiter {
            std::function<void(Completion)> start;
            std::optional<T> value;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<> waiting) {
                start([this, waiting](T result) {
                    value.emplace(std::move(result));
                    waiting.resume();
                });
            }
            T await_resume() { return std::move(*value); }
        };
        return Awaiter{std::move(start_), std::nullopt};
    }

 private:
    std::function<void(Completion)> start_;
};

}  // namespace quorate::client
