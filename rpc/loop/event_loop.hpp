#pragma once

#include "host/base/executor.hpp"
#include "host/base/time.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace boost::asio {
class io_context;
}
namespace kj {
class WaitScope;
}

// One thread's loop, on which Asio and KJ run together: this header and its source are the only
// files that name both. The KJ side sleeps in Asio (a kj::EventPort whose wait runs the
// io_context), so every socket is Asio's and every promise resolves in the same turn as what it
// waited for. A turn is: what Asio has ready, then all KJ events that are ready, bounded, so that
// neither starves the other. Measured equal to KJ's own loop (docs/decisions).
namespace quorate::loop {

using TimerId = std::uint64_t;  // 0 names no timer

// Thread: constructed and destroyed on any, while no Scope is on it; post() and stop() from any;
// everything else from the thread of the Scope, or from any before there is one.
class EventLoop final : public Executor {
 public:
    EventLoop();
    ~EventLoop() override;

    // Makes the loop the calling thread's while it lives. KJ objects (promises, capabilities)
    // live within: made after it and destroyed before it. Tasks and timers may outlive it, so they own
    // no KJ object. One per thread and per loop at a time.
    class Scope {
     public:
        explicit Scope(EventLoop& loop);
        ~Scope();
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

        // Until stop(). A task's exception ends it and passes through.
        void run();
        // Until `done` answers true, asked after each turn, or `at_most` has passed, or stop(). Its answer.
        bool run_until(const std::function<bool()>& done, Duration at_most);
        // For kj::Promise::wait(), which runs the loop too.
        kj::WaitScope& kj();

     private:
        class Impl;
        std::unique_ptr<Impl> impl_;
    };

    // Runs the task in a later turn, after those posted before. Dropped if the loop never runs again.
    void post(Task task) override;
    // Ends run(), now or as soon as it begins.
    void stop();
    // How long the loop, with nothing to do, looks for events before it sleeps, if the last one also came
    // that soon; 0 (as it begins): not at all. Meanwhile it yields the processor to whoever else can run.
    void set_busy_poll(Duration at_most);

    Time now() const;              // monotonic
    std::int64_t wall_ms() const;  // UTC
    TimerId at(Time when, Task task);
    void cancel(TimerId timer);  // fine if it ran or never was

    // Runs `action` on this loop, each time, instead of what the operating system does. One call per loop.
    void on_signals(const std::vector<int>& signals, std::function<void(int)> action);

    boost::asio::io_context& io();

 private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::loop
