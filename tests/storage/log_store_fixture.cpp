#include "tests/storage/log_store_fixture.hpp"

#include <algorithm>

namespace quorate::storage {

template <class Done>
void GroupOf::wait_for(Done done) {
    for (int idle = 0; !done() && idle < 1000;) {
        bool ran = host_->executor.run_ready();
        if (done()) return;
        idle = host_->drive() || ran ? 0 : idle + 1;
    }
}

template <class Call>
Result<void> GroupOf::call(Call what) {
    std::optional<Result<void>> answer;
    what([&](Result<void> result) { answer = std::move(result); });
    wait_for([&] { return answer.has_value(); });
    return answer ? *answer : fail(Errc::deadline_exceeded, "no answer came");
}

Result<void> GroupOf::create(std::string registration) {
    return call([&](auto done) {
        host_->store().create(id_, Bytes::take(std::move(registration)), host_->executor, done);
    });
}

Result<void> GroupOf::update(std::string registration) {
    return call([&](auto done) {
        host_->store().update_registration(id_, Bytes::take(std::move(registration)),
                                           host_->executor, done);
    });
}

Result<void> GroupOf::erase() {
    return call([&](auto done) { host_->store().erase(id_, host_->executor, done); });
}

void GroupOf::write(raft::Store store) {
    ticket = Ticket(ticket.value() + 1);
    store.ticket = ticket;
    host_->store().write(id_, std::move(store));
}

std::string GroupOf::payload(std::uint64_t index, std::uint64_t term, std::size_t bytes) {
    std::string text = "g" + std::to_string(index) + "t" + std::to_string(term);
    if (text.size() < bytes) text.resize(bytes, static_cast<char>('a' + index % 26));
    return text;
}

void GroupOf::append(std::uint64_t from, std::uint64_t to, std::uint64_t term, std::size_t bytes) {
    raft::Store store;
    for (std::uint64_t i = from; i <= to; ++i) {
        store.entries.push_back(entry(i, term, payload(i, term, bytes)));
    }
    write(std::move(store));
}

bool GroupOf::flush() {
    wait_for([&] { return client.last == ticket; });
    return client.last == ticket;
}

Result<std::vector<raft::Entry>> GroupOf::read(std::uint64_t from, std::uint64_t to,
                                               std::uint64_t max_bytes) {
    std::optional<Result<std::vector<raft::Entry>>> answer;
    host_->store().read(id_, Index(from), Index(to), max_bytes, host_->executor,
                        [&](auto result) { answer = std::move(result); });
    wait_for([&] { return answer.has_value(); });
    if (!answer) return fail(Errc::deadline_exceeded, "no answer came");
    return *answer;
}

Result<RecoveredLog> GroupOf::recover() {
    std::optional<Result<RecoveredLog>> answer;
    host_->store().recover(id_, host_->executor, [&](auto result) { answer = std::move(result); });
    wait_for([&] { return answer.has_value(); });
    if (!answer) return fail(Errc::deadline_exceeded, "no answer came");
    return *answer;
}

std::vector<std::string> GroupOf::read_texts(std::uint64_t from, std::uint64_t to) {
    auto entries = read(from, to);
    if (!entries.has_value()) return {to_string(entries.error())};
    return texts(*entries);
}

const RecoveredLog* find(const std::vector<RecoveredLog>& logs, GroupId group) {
    auto found = std::ranges::find(logs, group, &RecoveredLog::group);
    return found == logs.end() ? nullptr : &*found;
}

LogOptions small_files() {
    LogOptions options;
    options.file_bytes = 16 * 1024;
    options.waiting_files = 0;
    return options;
}

}  // namespace quorate::storage
