#include "rpc/client/io_thread.hpp"

#include "host/base/check.hpp"
#include "rpc/loop/event_loop.hpp"

#include <thread>

namespace quorate::client {
namespace {

thread_local bool is_io_thread = false;

}  // namespace

bool on_io_thread() {
    return is_io_thread;
}

class IoThread::Impl {
 public:
    explicit Impl(Duration busy_poll) {
        loop.set_busy_poll(busy_poll);
        thread = std::thread([this] {
            is_io_thread = true;
            loop::EventLoop::Scope(loop).run();
        });
    }
    ~Impl() {
        loop.stop();
        thread.join();
    }
    loop::EventLoop loop;
    std::thread thread;
};

std::shared_ptr<IoThread> IoThread::start(Duration busy_poll) {
    return std::shared_ptr<IoThread>(new IoThread(busy_poll));
}

IoThread::IoThread(Duration busy_poll) : impl_(std::make_unique<Impl>(busy_poll)) {}

IoThread::~IoThread() {
    CHECK(!on_io_thread(),
          "an IoThread would wait for its own end: let go of the last reference to "
          "it on another thread");
}

loop::EventLoop& IoThread::loop() {
    return impl_->loop;
}

std::thread::id IoThread::id() const {
    return impl_->thread.get_id();
}

}  // namespace quorate::client
