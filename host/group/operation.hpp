#pragma once

#include "host/base/check.hpp"

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

// What takes many steps with other hosts (create a group, redirect a command) is written as a
// coroutine, so that it reads from top to bottom. Ownership goes downwards: a shard's Operations
// owns the outermost coroutines in flight, each owns those it awaits, and what is called back
// holds nothing but a slot for the answer. So destroying a shard's Operations ends all of
// them, and an answer that comes later falls into nothing.
namespace quorate::group {

// The answer of a call that takes a callback, to be awaited once: pass callback() to the call, then
// co_await. The callback may be called before or after; only the first call counts. If it is
// never called, the coroutine stays suspended until its owner destroys it.
template <class T>
class Later {
 public:
    Later() : slot_(std::make_shared<Slot>()) {}
    Later(Later&&) noexcept = default;
    Later& operator=(Later&&) = delete;
    ~Later() {
        if (slot_) slot_->waiting = {};
    }

    std::function<void(T)> callback() const {
        return [slot = slot_](T value) {
            if (slot->value) return;
            auto kept = slot;  // resuming may destroy the function that we are in
            kept->value.emplace(std::move(value));
            if (auto waiting = std::exchange(kept->waiting, {})) waiting.resume();
        };
    }

    bool await_ready() const { return slot_->value.has_value(); }
    void await_suspend(std::coroutine_handle<> handle) { slot_->waiting = handle; }
    T await_resume() { return std::move(*slot_->value); }

 private:
    struct Slot {
        std::optional<T> value;
        std::coroutine_handle<> waiting;
    };
    std::shared_ptr<Slot> slot_;
};

// A coroutine that gives a T. Does nothing until awaited. Whatever it takes must be taken by value,
// or outlive it as the host's own objects do.
template <class T>
class [[nodiscard]] Operation {
 public:
    struct promise_type;
    using Handle = std::coroutine_handle<promise_type>;
    struct promise_type {
        std::optional<T> result;
        std::coroutine_handle<> awaiting;

        Operation get_return_object() { return Operation(Handle::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct Final {
            bool await_ready() noexcept { return false; }
            std::coroutine_handle<> await_suspend(Handle handle) noexcept {
                return handle.promise().awaiting;
            }
            void await_resume() noexcept {}
        };
        Final final_suspend() noexcept { return {}; }
        template <class U>
        void return_value(U&& value) {
            result.emplace(std::forward<U>(value));
        }
        void unhandled_exception() { throw; }
    };

    Operation(Operation&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Operation& operator=(Operation&&) = delete;
    ~Operation() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) {
        handle_.promise().awaiting = awaiting;
        return handle_;
    }
    T await_resume() { return std::move(*handle_.promise().result); }

 private:
    explicit Operation(Handle handle) : handle_(handle) {}
    Handle handle_;
};

// Owns the outermost coroutines in flight on one shard. Thread: the shard.
class Operations {
 public:
    Operations() = default;
    ~Operations() { clear(); }
    Operations(const Operations&) = delete;
    Operations& operator=(const Operations&) = delete;

    // Runs it, now, up to its first wait; `done` gets what it gives.
    template <class T>
    void run(Operation<T> operation, std::function<void(T)> done) {
        enter(root(this, std::move(operation), std::move(done)));
    }
    bool empty() const { return first_ == nullptr; }
    // Destroys all that is in flight; what they were to answer stays unanswered.
    void clear();

 private:
    struct Root {
        struct promise_type {
            Operations* owner = nullptr;
            promise_type* next = nullptr;
            promise_type* previous = nullptr;

            template <class... Rest>
            explicit promise_type(Operations* operations, Rest&...) : owner(operations) {}
            Root get_return_object() {
                return {std::coroutine_handle<promise_type>::from_promise(*this)};
            }
            std::suspend_always initial_suspend() noexcept { return {}; }
            struct Final {
                bool await_ready() noexcept { return false; }
                void await_suspend(std::coroutine_handle<promise_type> handle) noexcept {
                    handle.promise().owner->unlink(handle.promise());
                    handle.destroy();
                }
                void await_resume() noexcept {}
            };
            Final final_suspend() noexcept { return {}; }
            void return_void() {}
            void unhandled_exception() { throw; }
        };
        std::coroutine_handle<promise_type> handle;
    };

    template <class T>
    static Root root(Operations*, Operation<T> operation, std::function<void(T)> done) {
        T result = co_await operation;
        done(std::move(result));
    }
    void enter(Root root);
    void unlink(Root::promise_type& promise);

    Root::promise_type* first_ = nullptr;
};

}  // namespace quorate::group

// CO_TRY(auto x, co_await f()): x is the value, or the error is what this coroutine gives.
#define QUORATE_CO_TRY(unique, declaration, ...)       \
    auto unique = __VA_ARGS__;                         \
    if (!unique.has_value()) co_return unique.error(); \
    declaration = std::move(*unique)
#define CO_TRY(declaration, ...) \
    QUORATE_CO_TRY(QUORATE_CONCAT(try_, __COUNTER__), declaration, __VA_ARGS__)
