#include "storage/log_engine_reports.hpp"

#include <algorithm>
#include <utility>

namespace quorate::storage {

LogReports::List& LogReports::list_of(Executor& executor) {
    auto found = std::ranges::find(lists_, &executor, &List::executor);
    if (found != lists_.end()) return *found;
    return lists_.emplace_back(List{.executor = &executor});
}

void LogReports::stored(const std::shared_ptr<Attachment>& attachment, Ticket ticket) {
    if (!attachment) return;
    List& list = list_of(*attachment->executor);
    if (attachment->report == report_) {
        list.items[attachment->place].ticket = ticket;
        return;
    }
    attachment->report = report_;
    attachment->place = list.items.size();
    list.items.push_back({.attachment = attachment, .ticket = ticket});
}

void LogReports::call(Executor& on, Task task) {
    list_of(on).items.push_back({.task = std::move(task)});
}

void LogReports::post_all() {
    ++report_;
    for (List& list : std::exchange(lists_, {})) {
        list.executor->post([items = std::move(list.items)] {
            for (const Item& item : items) {
                if (!item.attachment) {
                    item.task();
                } else if (item.attachment->client != nullptr) {
                    item.attachment->client->stored(item.ticket);
                }
            }
        });
    }
}

}  // namespace quorate::storage
