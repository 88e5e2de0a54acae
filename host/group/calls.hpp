#pragma once

#include "host/base/result.hpp"
#include "host/group/deadlines.hpp"
#include "host/group/service.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace quorate::group {

// The calls of one shard's callers that wait for an answer. Each is answered exactly once: by
// whoever answers first, at its deadline, or when the host stops. Thread: the shard.
class Calls {
 public:
    explicit Calls(Scheduler& scheduler) : deadlines_(scheduler) {}
    Calls(const Calls&) = delete;
    Calls& operator=(const Calls&) = delete;

    // A reply that may be called any number of times, or never, and answers once. `what` is put in front
    // of the error if the deadline comes first: "create group 'demo' on host 'h1'".
    template <class T>
    Reply<T> open(std::string what, Time deadline, Reply<T> reply) {
        std::uint64_t key = ++last_;
        auto shared = std::make_shared<Reply<T>>(std::move(reply));
        auto expires = deadlines_.add(deadline, [this, key] { late(key); });
        calls_.emplace(key, Call{std::move(what), expires,
                                 [shared](Error error) { (*shared)(std::move(error)); }});
        return [this, key, shared](Result<T> result) {
            if (close(key)) (*shared)(std::move(result));
        };
    }

    // Answers all with the error.
    void abandon(const Error& error);
    std::size_t size() const { return calls_.size(); }

 private:
    struct Call {
        std::string what;
        Deadlines::Key expires;
        std::function<void(Error)> fail;
    };
    // Whether it was still open.
    bool close(std::uint64_t key);
    void late(std::uint64_t key);

    Deadlines deadlines_;
    std::unordered_map<std::uint64_t, Call> calls_;
    std::uint64_t last_ = 0;
};

}  // namespace quorate::group
