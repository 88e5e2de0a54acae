#pragma once

#include "host/base/time.hpp"

#include <memory>
#include <thread>

namespace quorate::loop {
class EventLoop;
}

namespace quorate::client {

// A thread with one event loop for any number of Clients: ClientOptions::io_thread. A Client that is
// given none starts one of its own.
//
// A thread is worth sharing as soon as there are several Clients: each keeps connections of its own,
// but they wake one thread instead of many, and what is ready for several of them goes in one turn. One
// carries a few hundred thousand commands a second; the completions of all its Clients run on it, so one
// that takes long delays them all.
//
// Lives as long as somebody holds it: each of its Clients does. Thread: any; the last holder lets go
// on a thread that is no IoThread, as Clients are destroyed.
class IoThread {
 public:
    // `busy_poll`: how long, with nothing to do, the thread looks for answers before it sleeps, if the
    // last one also came that soon. A thread that sleeps wakes 20 to 50 us late and with cold caches;
    // one that looks keeps a processor busy, as long as nobody else wants it. 0: it sleeps at once.
    static std::shared_ptr<IoThread> start(Duration busy_poll = {});
    ~IoThread();
    IoThread(const IoThread&) = delete;
    IoThread& operator=(const IoThread&) = delete;

 private:
    friend class Connections;
    explicit IoThread(Duration busy_poll);
    loop::EventLoop& loop();
    std::thread::id id() const;
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// Whether the calling thread is an IoThread: one on which completions run and on which nothing may
// wait.
bool on_io_thread();

}  // namespace quorate::client
