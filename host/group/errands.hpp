#pragma once

#include "host/group/host_shard.hpp"

#include <deque>
#include <string>
#include <unordered_map>

namespace quorate::group {

// Requests that a host missed because it was away, and that it should get when it is back: the start
// of its member of a new group, the removal of one it no longer has. Tried again and again until
// the host answers, whatever it says. Lost when this host restarts: then the operator sees a member
// that does not answer, and removes or adds it anew. Thread: shard 0.
class Errands {
 public:
    explicit Errands(HostContext& host) : host_(host) {}

    // Sent as often as it takes, so it must be harmless to repeat.
    void remove_member(HostName host, DeleteMemberRequest request);
    // Only sent while `host` is still a member of the group.
    void start_member(HostName host, StartMemberRequest request, SharedKey group);
    std::size_t size() const { return size_; }

 private:
    struct Errand {
        RequestBody body;
        SharedKey while_member_of;  // null: always
    };
    enum class Wanted : std::uint8_t { yes, no, unknown };

    void add(HostName host, Errand errand);
    Operation<Done> run(HostName host);
    Operation<Wanted> is_wanted(HostName host, SharedKey group);
    bool is_everybody_here() const;
    HostShard& home() const { return *host_.shards.front(); }

    HostContext& host_;
    std::unordered_map<HostName, std::deque<Errand>> errands_;
    std::size_t size_ = 0;
};

}  // namespace quorate::group
