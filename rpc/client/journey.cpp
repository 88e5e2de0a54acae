#include "rpc/client/journey.hpp"

#include <algorithm>

namespace quorate::client {

Journey::Journey(Connections& connections, std::string group, Duration timeout, To to)
    : connections_(connections),
      group_(std::move(group)),
      timeout_(std::clamp(timeout, Duration::zero(), longest_timeout)),
      deadline_(connections.now() + timeout_),
      to_(to) {}

std::uint32_t Journey::milliseconds_left() const {
    return client::milliseconds_left(deadline_, connections_.now());
}

Error Journey::too_late() const {
    auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
    return fail(Errc::deadline_exceeded, "the time given, " + std::to_string(ms) +
                                             " ms, was over before any host was asked");
}

kj::Promise<Result<LinkPtr>> Journey::next_host() {
    bool to_leader = to_ == To::leader && !group_.empty();
    Whereabouts& whereabouts = connections_.whereabouts();
    std::string leader = to_leader ? whereabouts.leader(group_, connections_.now()) : std::string{};
    return connections_.link(leader, deadline_, refused_);
}

LinkPtr Journey::next_host_now() const {
    if (to_ != To::leader || group_.empty() || !refused_.empty()) return nullptr;
    std::string leader = connections_.whereabouts().leader(group_, connections_.now());
    return leader.empty() ? nullptr : connections_.ready_link(leader);
}

kj::Promise<bool> Journey::go_on(const LinkPtr& refused_by, Elsewhere where) {
    if (where.reopen) refused_by->groups.erase(group_);
    Whereabouts& whereabouts = connections_.whereabouts();
    whereabouts.leads(group_, where.leader);
    if (where.pause > Duration::zero()) {
        Time again = connections_.now() + where.pause + connections_.pause(0);
        if (again >= deadline_) return false;
        return connections_.sleep_until(again).then([] { return true; });
    }
    bool somewhere_new = !where.leader.empty() && where.leader != refused_by->server.host &&
                         !whereabouts.leader(group_, connections_.now()).empty();
    if (somewhere_new && hints_ < connections_.options().max_redirects) {
        ++hints_;
        return !is_over();
    }
    hints_ = 0;
    if (!where.reopen) {
        std::erase(refused_, refused_by->endpoint);
        refused_.push_back(refused_by->endpoint);
    }
    Time again = std::min(deadline_, connections_.now() + connections_.pause(pauses_++));
    return connections_.sleep_until(again).then([this] { return !is_over(); });
}

bool is_for_another(Errc code) {
    switch (code) {
        case Errc::not_leader:
        case Errc::no_quorum:
        case Errc::no_leader:
        case Errc::leadership_lost:
        case Errc::member_stopped:
        case Errc::member_fenced:
        case Errc::member_recovering:
        case Errc::unreachable:
            return true;
        default:
            return false;
    }
}

std::optional<Error> too_large(const Connections& connections, std::uint64_t bytes) {
    // Beside the bytes: names, the message's table, Cap'n Proto's own.
    constexpr std::uint64_t overhead = 4096;
    std::uint64_t most = connections.options().max_message_bytes;
    if (bytes + overhead <= most) return std::nullopt;
    return fail(Errc::command_too_large,
                std::to_string(bytes) + " bytes do not fit a message, which has at most " +
                    std::to_string(most),
                "send less at once; hosts take commands up to raft.max_command_bytes");
}

Error lost_error(const kj::Exception& exception, const std::string& endpoint) {
    Error error = rpc_error(exception, endpoint);
    if (error.code == Errc::unreachable) error.code = Errc::leadership_lost;
    error.what = "the connection was lost before the answer came: " + error.what;
    error.hint = "it may have been carried out: look before you send it again";
    return error;
}

}  // namespace quorate::client
