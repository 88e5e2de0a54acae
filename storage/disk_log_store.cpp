#include "storage/disk_log_store.hpp"

#include "storage/wiredtiger_settled.hpp"

#include <chrono>
#include <exception>

namespace quorate::storage {
namespace {

Time now() {
    return Time(
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace

DiskLogStore::Worker::Worker()
    : thread_([this] {
          for (auto tasks = tasks_.wait_all(); !tasks.empty(); tasks = tasks_.wait_all()) {
              for (const Task& task : tasks) {
                  if (!drop_) task();
              }
          }
      }) {}

DiskLogStore::Worker::~Worker() {
    stop(Rest::drop);
}

void DiskLogStore::Worker::stop(Rest rest) {
    if (rest == Rest::drop) drop_ = true;
    tasks_.close();
    if (thread_.joinable()) thread_.join();
}

void DiskLogStore::Threads::run(Lane lane, Task task) {
    lanes_[static_cast<std::size_t>(lane)].run(std::move(task));
}

void DiskLogStore::Threads::stop() {
    // The watermark's changes lie in the files lane: none of them may be left out.
    lanes_[static_cast<std::size_t>(Lane::files)].stop(Worker::Rest::run);
    lanes_[static_cast<std::size_t>(Lane::settling)].stop(Worker::Rest::drop);
    lanes_[static_cast<std::size_t>(Lane::reading)].stop(Worker::Rest::drop);
}

Result<std::unique_ptr<DiskLogStore>> DiskLogStore::open(
    Options options, Files& files, std::function<void(const Error&)> on_failure) {
    std::unique_ptr<DiskLogStore> store(new DiskLogStore());
    store->on_failure_ = std::move(on_failure);
    store->home_ = make_wiredtiger_home(
        {.directory = options.settled_directory, .cache_bytes = options.settled_cache_bytes});
    LogEngine::Environment environment{
        .files = files,
        .home = *store->home_,
        .aside = store->threads_,
        .post = [store = store.get()](Request request) { store->submit(std::move(request)); },
        .on_failure = store->on_failure_};
    auto engine = LogEngine::open(std::move(options.log), std::move(environment));
    if (!engine.has_value()) {
        store->threads_.stop();
        return engine.error();
    }
    store->engine_ = std::move(*engine);
    store->writer_ = std::thread([store = store.get()] { store->write_until_closed(); });
    return store;
}

DiskLogStore::~DiskLogStore() {
    requests_.close();
    if (!writer_.joinable()) return;
    writer_.join();
    threads_.stop();
    if (!broken_) engine_->close();
}

void DiskLogStore::write_until_closed() {
    try {
        write_all();
    } catch (const std::exception& broken) {
        // No group to fence: the log is all groups'. Nothing more becomes durable.
        broken_ = true;
        if (on_failure_) on_failure_(fail(Errc::internal, broken.what()));
    }
}

void DiskLogStore::write_all() {
    for (;;) {
        std::optional<Time> wake = engine_->wake_at();
        auto requests = wake ? requests_.wait_all_for(std::max(Duration::zero(), *wake - now()))
                             : requests_.wait_all();
        if (requests.empty() && requests_.closed()) return;
        do {
            for (Request& request : requests) engine_->queue(std::move(request));
            engine_->run_once(now());
            requests = requests_.take_all();
        } while (!requests.empty() || engine_->has_work());
    }
}

}  // namespace quorate::storage
