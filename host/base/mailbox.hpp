#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

// The only file of the host that names a mutex: threads exchange values, they do not share objects.
namespace quorate {

// Values on their way to one other thread, in the order they were posted. A poster never waits for
// the taker, only for another poster's push_back; the taker gets everything that is there at once,
// which is what makes a batch. Unbounded: who posts keeps its own window (DESIGN §4, flow control).
// Thread: post() and close() from any; the rest from the one thread that takes.
template <class T>
class Mailbox {
 public:
    // False, and the value is dropped, once the mailbox is closed.
    bool post(T value) {
        bool was_empty = false;
        {
            std::lock_guard lock(mutex_);
            if (closed_) return false;
            was_empty = values_.empty();
            values_.push_back(std::move(value));
        }
        if (was_empty) arrived_.notify_one();  // otherwise the taker is awake, or about to be
        return true;
    }

    // What is there now, perhaps nothing. Never waits.
    std::vector<T> take_all() {
        std::lock_guard lock(mutex_);
        return std::exchange(values_, {});
    }

    // Waits until there is something. Empty: the mailbox was closed and everything was taken.
    std::vector<T> wait_all() {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [this] { return closed_ || !values_.empty(); });
        return std::exchange(values_, {});
    }

    // The same, and empty too when `limit` has passed.
    std::vector<T> wait_all_for(std::chrono::nanoseconds limit) {
        std::unique_lock lock(mutex_);
        arrived_.wait_for(lock, limit, [this] { return closed_ || !values_.empty(); });
        return std::exchange(values_, {});
    }

    // No more values; those posted before are still handed out.
    void close() {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        arrived_.notify_all();
    }

    bool closed() const {
        std::lock_guard lock(mutex_);
        return closed_;
    }

 private:
    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<T> values_;
    bool closed_ = false;
};

// A small value that several threads look into, one at a time. For registries off the common path;
// `use` must neither block nor call out.
template <class T>
class Guarded {
 public:
    Guarded() = default;
    explicit Guarded(T value) : value_(std::move(value)) {}

    template <class Use>
    decltype(auto) with(Use&& use) {
        std::lock_guard lock(mutex_);
        return std::forward<Use>(use)(value_);
    }

 private:
    std::mutex mutex_;
    T value_{};
};

}  // namespace quorate
