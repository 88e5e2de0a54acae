#include "host/group/operation.hpp"

namespace quorate::group {

void Operations::enter(Root root) {
    auto& promise = root.handle.promise();
    promise.next = first_;
    if (first_) first_->previous = &promise;
    first_ = &promise;
    root.handle.resume();
}

void Operations::unlink(Root::promise_type& promise) {
    if (promise.previous) {
        promise.previous->next = promise.next;
    } else {
        first_ = promise.next;
    }
    if (promise.next) promise.next->previous = promise.previous;
}

void Operations::clear() {
    while (first_) {
        auto& promise = *first_;
        unlink(promise);
        std::coroutine_handle<Root::promise_type>::from_promise(promise).destroy();
    }
}

}  // namespace quorate::group
