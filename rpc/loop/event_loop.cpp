#include "rpc/loop/event_loop.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <kj/async.h>

#include <atomic>
#include <map>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

namespace quorate::loop {
namespace asio = boost::asio;
namespace {

// Steps of one side before the other has its turn.
constexpr unsigned kj_turn_limit = 1024;
constexpr unsigned asio_turn_limit = 256;

class AsioEventPort final : public kj::EventPort {
 public:
    explicit AsioEventPort(asio::io_context& io) : io_(io) {}

    bool wait() override {
        auto begin = Steady::now();
        bool is_there = waits_briefly_ && poll_until(begin + busy_poll);
        if (!is_there) io_.run_one();
        waits_briefly_ = Steady::now() - begin < busy_poll;
        return poll();
    }
    bool poll() override {
        for (unsigned i = 0; i < asio_turn_limit && io_.poll_one() != 0; ++i) {
        }
        return woken_.exchange(false);
    }
    void wake() const override {
        woken_ = true;
        asio::post(io_, [] {});
    }

    std::chrono::nanoseconds busy_poll{};

 private:
    using Steady = std::chrono::steady_clock;

    // Whether anything happened by then. Whoever else can run on this processor goes first.
    bool poll_until(Steady::time_point end) {
        do {
            if (io_.poll_one() != 0) return true;
            std::this_thread::yield();
        } while (Steady::now() < end);
        return false;
    }

    asio::io_context& io_;
    bool waits_briefly_ = false;  // the last wait was shorter than busy_poll
    mutable std::atomic<bool> woken_ = false;
};

// All timers behind one Asio timer, which is armed for the earliest. Cancelling does not disarm: a
// wake-up for nothing is cheaper than a system call for each of the many timers that are put off.
class Timers {
 public:
    explicit Timers(asio::io_context& io) : timer_(io) {}

    TimerId at(Time when, Task task) {
        TimerId id = ++last_id_;
        due_.emplace(std::pair(when, id), std::move(task));
        when_.emplace(id, when);
        arm();
        return id;
    }

    void cancel(TimerId id) {
        auto found = when_.find(id);
        if (found == when_.end()) return;
        due_.erase(std::pair(found->second, id));
        when_.erase(found);
    }

 private:
    static std::chrono::steady_clock::time_point on_clock(Time when) {
        return std::chrono::steady_clock::time_point(when.time_since_epoch());
    }

    void arm() {
        if (due_.empty() || (armed_ && *armed_ <= due_.begin()->first.first)) return;
        armed_ = due_.begin()->first.first;
        timer_.expires_at(on_clock(*armed_));
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (error) return;  // armed anew, for an earlier time
            armed_.reset();
            run_due(Time(std::chrono::steady_clock::now().time_since_epoch()));
            arm();
        });
    }

    // One at a time from the front: a task may cancel the next.
    void run_due(Time now) {
        TimerId newest = last_id_;  // what a task adds waits for the next turn
        while (!due_.empty() && due_.begin()->first.first <= now) {
            auto first = due_.begin();
            if (first->first.second > newest) break;
            Task task = std::move(first->second);
            when_.erase(first->first.second);
            due_.erase(first);
            task();
        }
    }

    asio::steady_timer timer_;
    std::optional<Time> armed_;
    TimerId last_id_ = 0;
    std::map<std::pair<Time, TimerId>, Task> due_;
    std::unordered_map<TimerId, Time> when_;
};

}  // namespace

class EventLoop::Impl {
 public:
    asio::io_context io{1};  // one thread runs it
    asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
    Timers timers{io};
    std::optional<asio::signal_set> signals;
    AsioEventPort port{io};
    kj::EventLoop kj{port};
    std::atomic<bool> stopped = false;

    // KJ last: nothing that became ready waits through a sleep.
    void turn() {
        if (kj.isRunnable()) {
            port.poll();
        } else {
            port.wait();
        }
        kj.run(kj_turn_limit);
    }

    void wait_for_signal(std::function<void(int)> action) {
        signals->async_wait(
            [this, action = std::move(action)](const boost::system::error_code& error, int signal) {
                if (error) return;
                action(signal);
                wait_for_signal(action);
            });
    }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::post(Task task) {
    asio::post(impl_->io, std::move(task));
}

void EventLoop::set_busy_poll(Duration at_most) {
    impl_->port.busy_poll = at_most;
}

void EventLoop::stop() {
    impl_->stopped = true;
    post([] {});
}

Time EventLoop::now() const {
    return Time(std::chrono::steady_clock::now().time_since_epoch());
}

std::int64_t EventLoop::wall_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

TimerId EventLoop::at(Time when, Task task) {
    return impl_->timers.at(when, std::move(task));
}
void EventLoop::cancel(TimerId timer) {
    impl_->timers.cancel(timer);
}

void EventLoop::on_signals(const std::vector<int>& signals, std::function<void(int)> action) {
    impl_->signals.emplace(impl_->io);
    for (int signal : signals) impl_->signals->add(signal);
    impl_->wait_for_signal(std::move(action));
}

asio::io_context& EventLoop::io() {
    return impl_->io;
}

class EventLoop::Scope::Impl {
 public:
    explicit Impl(EventLoop& owner) : loop(owner), wait_scope(owner.impl_->kj) {}
    EventLoop& loop;
    kj::WaitScope wait_scope;
};

EventLoop::Scope::Scope(EventLoop& loop) : impl_(std::make_unique<Impl>(loop)) {}
EventLoop::Scope::~Scope() = default;

void EventLoop::Scope::run() {
    EventLoop::Impl& loop = *impl_->loop.impl_;
    while (!loop.stopped) loop.turn();
}

bool EventLoop::Scope::run_until(const std::function<bool()>& done, Duration at_most) {
    EventLoop::Impl& loop = *impl_->loop.impl_;
    auto late = std::make_shared<bool>(false);  // outlives this call if a task throws
    TimerId timer = impl_->loop.at(impl_->loop.now() + at_most, [late] { *late = true; });
    bool answer = done();
    while (!answer && !*late && !loop.stopped) {
        loop.turn();
        answer = done();
    }
    impl_->loop.cancel(timer);
    return answer;
}

kj::WaitScope& EventLoop::Scope::kj() {
    return impl_->wait_scope;
}

}  // namespace quorate::loop
