#include "rpc/cli/ending_signal.hpp"

#include <pthread.h>
#include <unistd.h>
#include <utility>

namespace quorate::cli {
namespace {

constexpr int over = SIGUSR1;  // sent to the waiting thread alone

sigset_t ending_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGINT, SIGTERM, SIGHUP, over}) sigaddset(&signals, signal);
    return signals;
}

// In this thread: whoever presses the key again wants no cleaning up.
void unblock(int signal) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

}  // namespace

EndingSignalsHeld::EndingSignalsHeld() {
    sigset_t signals = ending_signals();
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

EndingSignalsHeld::~EndingSignalsHeld() {
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

OnEndingSignal::OnEndingSignal(std::function<void()> clean_up)
    : thread_([clean_up = std::move(clean_up)] {
          sigset_t signals = ending_signals();
          int signal = 0;
          sigwait(&signals, &signal);
          if (signal == over) return;
          unblock(SIGINT);
          clean_up();
          ::_exit(128 + signal);
      }) {}

OnEndingSignal::~OnEndingSignal() {
    pthread_kill(thread_.native_handle(), over);
    thread_.join();
}

}  // namespace quorate::cli
