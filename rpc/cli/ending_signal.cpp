#include "rpc/cli/ending_signal.hpp"

#include <chrono>
#include <pthread.h>
#include <unistd.h>
#include <utility>

namespace quorate::cli {
namespace {

constexpr int over = SIGUSR1;  // sent to the waiting thread alone

// But those that whoever started this program wanted ignored: `nohup`, or a shell's job behind.
sigset_t ending_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, over);
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction now {};
        sigaction(signal, nullptr, &now);
        if (now.sa_handler != SIG_IGN) sigaddset(&signals, signal);
    }
    return signals;
}

int next_of(const sigset_t& signals) {
    int signal = 0;
    sigwait(&signals, &signal);
    return signal;
}

// Cleans up, and ends the process; at once if somebody asks again. `timeout` says everything twice: what
// comes within a second says the same.
[[noreturn]] void end_by(int signal, const std::function<void()>& clean_up,
                         const sigset_t& signals) {
    std::thread([signal, clean_up] {
        clean_up();
        ::_exit(128 + signal);
    }).detach();
    auto begin = std::chrono::steady_clock::now();
    for (;;) {
        int again = next_of(signals);
        bool is_new = std::chrono::steady_clock::now() - begin > std::chrono::seconds(1);
        if (again != over && is_new) ::_exit(128 + again);
    }
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
    : thread_([this, clean_up = std::move(clean_up)] {
          sigset_t signals = ending_signals();
          int signal = over;
          while (signal == over && !over_) signal = next_of(signals);
          if (signal != over) end_by(signal, clean_up, signals);
      }) {}

OnEndingSignal::~OnEndingSignal() {
    over_ = true;
    pthread_kill(thread_.native_handle(), over);
    thread_.join();
}

}  // namespace quorate::cli
