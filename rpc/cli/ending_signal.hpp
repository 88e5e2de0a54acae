#pragma once

#include <atomic>
#include <functional>
#include <signal.h>
#include <thread>

namespace quorate::cli {

// While one lives, the signals that end a process (SIGINT, SIGTERM, SIGHUP, but those that it was started
// to ignore) wait, also in threads that are started meanwhile. Thread: one, before it starts others.
class EndingSignalsHeld {
 public:
    EndingSignalsHeld();
    ~EndingSignalsHeld();
    EndingSignalsHeld(const EndingSignalsHeld&) = delete;

 private:
    sigset_t before_;
};

// While one lives, such a signal, or one that waits already, has `clean_up` run and then ends this
// process with the exit code 128 + its number; another one, a second later or more, ends it at once.
// Within an EndingSignalsHeld.
class OnEndingSignal {
 public:
    // `clean_up` runs on a thread of its own, while all others go on.
    explicit OnEndingSignal(std::function<void()> clean_up);
    ~OnEndingSignal();
    OnEndingSignal(const OnEndingSignal&) = delete;

 private:
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

}  // namespace quorate::cli
