#include "host/group/requests.hpp"

#include "host/base/check.hpp"
#include "host/group/names.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace quorate::group {
namespace {

Error no_answer(Errc code, const HostName& host, std::string_view why) {
    return fail(code, "host " + quoted(host) + " " + std::string(why));
}

}  // namespace

Requests::Requests(Scheduler& scheduler, Transport& transport, std::size_t shard)
    : scheduler_(scheduler),
      transport_(transport),
      deadlines_(scheduler),
      last_id_(scheduler.random() / shards_max * shards_max + shard) {
    CHECK(shard < shards_max);
}

void Requests::send(const HostName& to, RequestBody body, Time deadline, Done done) {
    if (stopped_) {
        return done({Fate::not_sent, fail(Errc::member_stopped, "this host is stopping")});
    }
    if (!is_connected(to)) {
        return done({Fate::not_sent, no_answer(Errc::unreachable, to, "is not connected")});
    }
    Duration remaining = deadline - scheduler_.now();
    if (remaining <= 0ns) {
        return done({Fate::not_sent, no_answer(Errc::deadline_exceeded, to,
                                               "was not asked: the deadline had come")});
    }
    std::uint64_t id = last_id_ += shards_max;
    pending_.emplace(
        id, Pending{to, deadlines_.add(deadline, [this, id] { expired(id); }), std::move(done)});
    transport_.send(to, Request{id, remaining, std::move(body)});
}

void Requests::receive(const HostName& from, Response response) {
    auto pending = pending_.find(response.id);
    if (pending == pending_.end() || pending->second.to != from) return;
    if (response.failed) {
        finish(response.id, {Fate::answered, std::move(response.error)});
    } else {
        finish(response.id, {Fate::answered, std::move(response.body)});
    }
}

void Requests::connected(const HostName& host) {
    connected_.insert(host);
}

void Requests::disconnected(const HostName& host) {
    connected_.erase(host);
    std::vector<std::uint64_t> ids;
    for (const auto& [id, pending] : pending_) {
        if (pending.to == host) ids.push_back(id);
    }
    std::sort(ids.begin(), ids.end());
    for (std::uint64_t id : ids) {
        lose(id, no_answer(Errc::unreachable, host, "disconnected before it answered"));
    }
}

void Requests::stop(const Error& error) {
    stopped_ = true;
    std::vector<std::uint64_t> ids;
    for (const auto& [id, pending] : pending_) ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    for (std::uint64_t id : ids) lose(id, error);
}

void Requests::finish(std::uint64_t id, Answer answer) {
    auto pending = pending_.extract(id);
    if (pending.empty()) return;
    deadlines_.remove(pending.mapped().deadline);
    pending.mapped().done(std::move(answer));
}

void Requests::lose(std::uint64_t id, Error error) {
    finish(id, {Fate::lost, std::move(error)});
}

void Requests::expired(std::uint64_t id) {
    auto pending = pending_.extract(id);
    pending.mapped().done({Fate::lost, no_answer(Errc::deadline_exceeded, pending.mapped().to,
                                                 "did not answer before the deadline")});
}

bool SeenRequests::first_time(const HostName& from, std::uint64_t id) {
    Sender& sender = senders_[from];
    if (!sender.ids.insert(id).second) return false;
    sender.order.push_back(id);
    if (sender.order.size() > window_) {
        sender.ids.erase(sender.order.front());
        sender.order.pop_front();
    }
    return true;
}

std::string_view name_of(const RequestBody& body) {
    static constexpr std::array<std::string_view, 19> names = {
        "submit",         "query",         "locate",         "start member", "delete member",
        "status",         "change member", "transfer",       "delete group", "take snapshot",
        "list snapshots", "offer plugin",  "fetch plugin",   "list plugins", "ping",
        "reserve name",   "stop member",   "restart member", "campaign"};
    static_assert(names.size() == std::variant_size_v<RequestBody>);
    return names[body.index()];
}

}  // namespace quorate::group
