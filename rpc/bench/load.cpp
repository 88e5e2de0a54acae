#include "rpc/bench/load.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <semaphore>
#include <thread>

namespace quorate::bench {
namespace {

using Steady = std::chrono::steady_clock;
using Nanoseconds = std::uint64_t;

// The counted part of a run. Nanoseconds since its begin also number the commands.
struct Schedule {
    Steady::time_point begin = Steady::now();
    Nanoseconds counted_from = 0;
    Nanoseconds counted_to = 0;

    Nanoseconds now() const {
        return static_cast<Nanoseconds>((Steady::now() - begin) / std::chrono::nanoseconds(1));
    }
};

// One client: it keeps `window` operations unanswered, or begins them at its times.
// Thread: operations are begun on the client's thread in a closed loop, on the worker's own in an open
// one; what ends, ends on the client's, which it shares with other workers.
class Worker {
 public:
    Worker(const Workload& workload, const Schedule& schedule, std::uint32_t number)
        : workload_(workload), schedule_(schedule), number_(number) {}
    Worker(const Worker&) = delete;

    // Connects, and waits until each of its groups has answered a query.
    Result<void> connect(client::ClientOptions connection) {
        TRY(client_, client::Client::connect(std::move(connection)));
        // Each client has its share of the groups; with fewer groups than clients, each has one.
        std::size_t step = std::min<std::size_t>(workload_.clients, workload_.groups.size());
        for (std::size_t i = number_ % step; i < workload_.groups.size(); i += step) {
            TRY_VOID(open(workload_.groups[i]));
        }
        return {};
    }

    void start() {
        if (workload_.rate > 0) {
            thread_ = std::thread([this] { begin_in_time(); });
            return;
        }
        // The first window is begun on the client's thread, as all that follow.
        lanes_.front()
            ->group.query(client::ReadLevel::local, as_bytes(ask_slot(0)), 10s)
            .then([this](const Result<client::Answer>&) {
                unanswered_ = 1;  // held until the window is full
                for (std::uint32_t i = 0; i < workload_.window; ++i)
                    begin_one(lane_in_turn(), schedule_.now());
                answered();
            });
    }

    // Ends when everything that was begun has.
    void finish(Run& into) {
        if (thread_.joinable()) {
            thread_.join();
        } else {
            ended_.get_future().wait();
        }
        for (auto& lane : lanes_) {
            lane->pipeline->drain();  // so that no callback is left
            into.written.push_back(std::move(lane->written));
        }
        into.figures.latency.merge(figures_.latency);
        into.figures.refused += figures_.refused;
        into.figures.unknown += figures_.unknown;
        into.figures.not_begun += not_begun_;
        for (const auto& [what, times] : figures_.errors) into.figures.errors[what] += times;
    }

 private:
    struct Lane {
        client::Group group;
        Written written;
        std::unique_ptr<client::Pipeline> pipeline = nullptr;
        std::uint64_t last_number = 0;
    };
    static constexpr std::size_t errors_kept = 16;

    Result<void> open(const std::string& name) {
        auto& lane = *lanes_.emplace_back(std::make_unique<Lane>(Lane{client_->group(name), {}}));
        lane.written.group = name;
        lane.written.writer = number_;
        TRY(lane.pipeline,
            lane.group.pipeline(
                {.on_outcomes = [this, &lane](auto outcomes) { ended(lane, outcomes); },
                 .window = 2 * workload_.window,  // freed only after the callback
                 .window_bytes = 4ull * workload_.window * workload_.payload,
                 .timeout = workload_.timeout}));
        // Whoever leads is known from here on.
        TRY_VOID(
            lane.group.query(client::ReadLevel::linearizable, as_bytes(ask_slot(0)), 20s).get());
        return {};
    }

    bool next_is_a_read() {
        reads_owed_ += workload_.reads;
        if (reads_owed_ < 1) return false;
        reads_owed_ -= 1;
        return true;
    }

    Lane& lane_in_turn() { return *lanes_[next_lane_++ % lanes_.size()]; }

    void begin_one(Lane& lane, Nanoseconds intended) {
        ++unanswered_;
        if (next_is_a_read()) return read(lane, intended);
        std::uint64_t number = std::max(intended, lane.last_number + 1);
        lane.last_number = number;
        write_command(command_.data(), number_, number);
        CHECK(lane.pipeline->try_submit(number, as_bytes(command_)),
              "a pipeline is as wide as the load");
    }

    void read(Lane& lane, Nanoseconds intended) {
        auto slot = static_cast<std::uint32_t>(intended % slots);
        lane.group.query(workload_.level, as_bytes(ask_slot(slot)), workload_.timeout)
            .then([this, &lane, intended](const Result<client::Answer>& answer) {
                if (answer.has_value()) {
                    count(intended);
                } else {
                    ++figures_.refused;
                    note(answer.error());
                }
                next(lane);
            });
    }

    void ended(Lane& lane, std::span<client::PipelineOutcome> outcomes) {
        for (client::PipelineOutcome& outcome : outcomes) {
            if (std::holds_alternative<client::Applied>(outcome.outcome)) {
                lane.written.acknowledged.add(outcome.correlation);
                count(outcome.correlation);
            } else if (auto* refused = std::get_if<client::NotApplied>(&outcome.outcome)) {
                ++figures_.refused;
                note(refused->error);
            } else {
                ++figures_.unknown;
                ++lane.written.unknown;
                note(std::get<client::Unknown>(outcome.outcome).error);
            }
            next(lane);
        }
    }

    void count(Nanoseconds intended) {
        Nanoseconds now = schedule_.now();
        if (now < schedule_.counted_from || now >= schedule_.counted_to) return;
        figures_.latency.add(now - std::min(now, intended));
    }

    void note(const Error& error) {
        std::string what = to_string(error);
        if (figures_.errors.size() < errors_kept || figures_.errors.contains(what)) {
            ++figures_.errors[what];
        }
    }

    // An operation has ended. In a closed loop its group is the next one's, too: each has its part of the
    // window.
    void next(Lane& lane) {
        if (workload_.rate > 0) return room_.release();
        Nanoseconds now = schedule_.now();
        if (now < schedule_.counted_to) begin_one(lane, now);
        answered();
    }
    void answered() {
        if (--unanswered_ == 0) ended_.set_value();
    }

    void begin_in_time() {
        double interval = 1e9 * workload_.clients / workload_.rate;
        double at = interval * number_ / workload_.clients;
        for (; at < static_cast<double>(schedule_.counted_to); at += interval) {
            auto intended = static_cast<Nanoseconds>(at);
            if (schedule_.now() < intended) {
                std::this_thread::sleep_until(schedule_.begin + std::chrono::nanoseconds(intended));
            }
            room_.acquire();
            if (schedule_.now() >= schedule_.counted_to) {
                room_.release();
                break;
            }
            begin_one(lane_in_turn(), intended);
        }
        double left = static_cast<double>(schedule_.counted_to) - at;
        not_begun_ = left > 0 ? static_cast<std::uint64_t>(left / interval) + 1 : 0;
        for (std::uint32_t i = 0; i < workload_.window; ++i) room_.acquire();
    }

    const Workload& workload_;
    const Schedule& schedule_;
    const std::uint32_t number_;
    std::unique_ptr<client::Client> client_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::string command_ = std::string(workload_.payload, 'q');
    std::size_t next_lane_ = 0;
    double reads_owed_ = 0;
    std::uint64_t unanswered_ = 0;  // of a closed loop
    std::promise<void> ended_;      // likewise
    std::counting_semaphore<> room_{
        static_cast<std::ptrdiff_t>(workload_.window)};  // of an open one
    std::thread thread_;
    std::uint64_t not_begun_ = 0;  // of an open loop: written by thread_
    Figures figures_;
};

}  // namespace

Result<Run> run(const Workload& workload, const client::ClientOptions& connection,
                const std::function<void()>& warmed_up, const std::function<void()>& over) {
    Schedule schedule;
    std::vector<std::shared_ptr<client::IoThread>> threads;
    for (std::uint32_t i = 0; i < std::min(workload.threads, workload.clients); ++i) {
        threads.push_back(client::IoThread::start(workload.busy_poll));
    }
    std::vector<std::unique_ptr<Worker>> workers;
    for (std::uint32_t i = 0; i < workload.clients; ++i) {
        client::ClientOptions options = connection;
        options.io_thread = threads[i % threads.size()];
        workers.push_back(std::make_unique<Worker>(workload, schedule, i));
        TRY_VOID(workers.back()->connect(std::move(options)));
    }
    schedule.begin = Steady::now();
    auto warm = std::chrono::nanoseconds(workload.warm_up);
    auto end = warm + std::chrono::nanoseconds(workload.length);
    schedule.counted_from = static_cast<Nanoseconds>(warm.count());
    schedule.counted_to = static_cast<Nanoseconds>(end.count());
    for (auto& worker : workers) worker->start();
    std::this_thread::sleep_until(schedule.begin + warm);
    warmed_up();
    std::this_thread::sleep_until(schedule.begin + end);
    over();
    Run done;
    for (auto& worker : workers) worker->finish(done);
    done.figures.seconds = std::chrono::duration<double>(workload.length).count();
    return done;
}

}  // namespace quorate::bench
