#pragma once

#include "host/group/scheduler.hpp"
#include "host/group/transport.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace quorate::group {

// What became of another host, seen from this one.
enum class HostNews : std::uint8_t {
    silent,     // it does not answer
    answers,    // it does again
    restarted,  // its process is another than before
};

// Whether the other hosts are alive: one exchange per pair of hosts, whatever number of groups they share
// (docs/protocol.md §12). A beat is asked with each interval and answered at once; without an answer a
// host is silent, sooner if its connection ended and does not come back.
//
// Thread: shard 0 of its host.
class HostWatch {
 public:
    struct Times {
        Duration interval;  // between beats
        Duration silence;   // without an answer: silent
        Duration grace;     // without a connection that was there: silent
    };
    using Told = std::function<void(const HostName&, HostNews)>;

    // `incarnation`: of this run of the host.
    HostWatch(Scheduler& scheduler, Transport& transport, std::uint64_t incarnation, Times times,
              Told told)
        : scheduler_(scheduler),
          transport_(transport),
          incarnation_(incarnation),
          times_(times),
          told_(std::move(told)) {}
    ~HostWatch() { scheduler_.cancel(timer_); }
    HostWatch(const HostWatch&) = delete;
    HostWatch& operator=(const HostWatch&) = delete;

    // Watches that host from now on. Nothing is said of it before it was silent for the first time.
    void watch(const HostName& host);
    void receive(const HostName& from, const Beat& beat);
    // Its connection began, or ended.
    void connected(const HostName& host);
    void disconnected(const HostName& host);
    // Answers others, but asks and tells no more.
    void stop();

 private:
    struct Watched {
        Time heard;                 // its latest answer
        std::optional<Time> apart;  // since when it is without a connection
        std::uint64_t incarnation = 0;
        bool silent = false;
    };
    void ask(const HostName& host);
    void beat();
    void look(const HostName& host, Watched& watched);

    Scheduler& scheduler_;
    Transport& transport_;
    const std::uint64_t incarnation_;
    const Times times_;
    Told told_;
    std::map<HostName, Watched> watched_;
    TimerId timer_ = 0;
    Time due_;
    bool stopped_ = false;
};

}  // namespace quorate::group
