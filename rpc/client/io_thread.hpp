#pragma once

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
    static std::shared_ptr<IoThread> start();
    ~IoThread();
    IoThread(const IoThread&) = delete;
    IoThread& operator=(const IoThread&) = delete;

 private:
    friend class Connections;
    IoThread();
    loop::EventLoop& loop();
    std::thread::id id() const;
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// Whether the calling thread is an IoThread: one on which completions run and on which nothing may
// wait.
bool on_io_thread();

}  // namespace quorate::client
