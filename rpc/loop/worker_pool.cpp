#include "rpc/loop/worker_pool.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <utility>

namespace quorate::loop {

class WorkerPool::Impl {
 public:
    explicit Impl(std::size_t threads) : pool(threads) {}
    boost::asio::thread_pool pool;
};

WorkerPool::WorkerPool(std::size_t threads) : impl_(std::make_unique<Impl>(threads)) {}

WorkerPool::~WorkerPool() {
    impl_->pool.stop();
    impl_->pool.join();
}

void WorkerPool::post(Task task) {
    boost::asio::post(impl_->pool, std::move(task));
}

}  // namespace quorate::loop
