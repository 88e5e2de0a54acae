#pragma once

#include "host/base/result.hpp"
#include "host/group/member_scheduler.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace quorate::group {

// Work of one member on background threads: counted, so that stop() can wait for it, and answered on
// the shard only while the member is there.
//
// Thread: the shard; `work` runs on a background thread and must not touch the shard's objects.
class Background {
 public:
    explicit Background(MemberScheduler& scheduler) : scheduler_(scheduler) {}
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    // An exception that leaves `work` becomes an error: memory may run out while a snapshot loads.
    template <class T>
    void run(std::function<Result<T>()> work, std::function<void(Result<T>)> then) {
        ++running_;
        auto answer = scheduler_.guard(std::function<void(std::shared_ptr<Result<T>>)>(
            [this, then = std::move(then)](std::shared_ptr<Result<T>> result) {
                finish([&] { then(std::move(*result)); });
            }));
        scheduler_.background([&shard = scheduler_.shard(), work = std::move(work),
                               answer = std::move(answer)]() mutable {
            auto result = std::make_shared<Result<T>>(attempt<T>(work));
            work = nullptr;  // what it holds (a view) ends on this thread
            shard.post(
                [answer = std::move(answer), result = std::move(result)] { answer(result); });
        });
    }

    bool idle() const { return running_ == 0; }
    // Runs `task` once nothing is under way: at once, or when the last work has been answered.
    void when_idle(Task task) {
        if (idle()) return task();
        idle_ = std::move(task);
    }

 private:
    template <class T>
    static Result<T> attempt(const std::function<Result<T>()>& work) {
        try {
            return work();
        } catch (const std::exception& e) {
            return fail(Errc::internal, std::string("background work threw: ") + e.what());
        }
    }
    void finish(const Task& then) {
        --running_;
        // Even if the answer breaks an invariant: stop() waits for this count.
        scheduler_.run(then);
        if (idle() && idle_) std::exchange(idle_, nullptr)();
    }

    MemberScheduler& scheduler_;
    std::size_t running_ = 0;
    Task idle_;
};

}  // namespace quorate::group
