#pragma once

#include "host/group/deadlines.hpp"
#include "host/group/messages.hpp"
#include "host/group/scheduler.hpp"
#include "host/group/transport.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_map>
#include <unordered_set>

namespace quorate::group {

// What became of a request to another host.
enum class Fate : std::uint8_t {
    answered,  // the host answered; an error in the answer says that it did not carry it out
    not_sent,  // it never left this host
    lost,      // it left, and no answer came: it may or may not have been carried out
};
struct Answer {
    Fate fate = Fate::answered;
    Result<ResponseBody> result;
};

// One shard's requests under way to other hosts, by id. Each is answered once: by its response, at
// its deadline, or when the connection to its host ends. Nothing is sent twice.
//
// Ids begin at a random number, so that an answer to a former life of this host finds nothing, and
// their lowest byte is the shard, so that an answer which arrives on another finds its way.
//
// Thread: the shard.
class Requests {
 public:
    static constexpr std::size_t shards_max = 256;
    static std::size_t shard_of(std::uint64_t id) { return id % shards_max; }

    // Pre: shard < shards_max.
    Requests(Scheduler& scheduler, Transport& transport, std::size_t shard);
    Requests(const Requests&) = delete;
    Requests& operator=(const Requests&) = delete;

    using Done = std::function<void(Answer)>;
    // Calls `done` before it returns if there is no connection (unreachable) or the deadline is
    // past (deadline_exceeded).
    void send(const HostName& to, RequestBody body, Time deadline, Done done);

    // A response counts only if it comes from the host that was asked.
    void receive(const HostName& from, Response response);
    void connected(const HostName& host);
    // All that was asked of it is lost: unreachable.
    void disconnected(const HostName& host);
    bool is_connected(const HostName& host) const { return connected_.contains(host); }
    const std::unordered_set<HostName>& connected_hosts() const { return connected_; }

    // All are lost with this error, and later ones are not sent.
    void stop(const Error& error);
    std::size_t size() const { return pending_.size(); }

 private:
    struct Pending {
        HostName to;
        Deadlines::Key deadline;
        Done done;
    };
    void finish(std::uint64_t id, Answer answer);
    void lose(std::uint64_t id, Error error);
    void expired(std::uint64_t id);

    Scheduler& scheduler_;
    Transport& transport_;
    Deadlines deadlines_;
    std::unordered_set<HostName> connected_;
    std::unordered_map<std::uint64_t, Pending> pending_;
    std::uint64_t last_id_;
    bool stopped_ = false;
};

// The requests that came from other hosts lately. The network may repeat a message; a request that
// was repeated must not be carried out twice. Remembers the last `window` ids of each host; the
// daemon's transport repeats nothing, so this is for those that do.
class SeenRequests {
 public:
    explicit SeenRequests(std::size_t window) : window_(window) {}
    // Whether it comes for the first time.
    bool first_time(const HostName& from, std::uint64_t id);

 private:
    struct Sender {
        std::unordered_set<std::uint64_t> ids;
        std::deque<std::uint64_t> order;
    };
    std::size_t window_;
    std::unordered_map<HostName, Sender> senders_;
};

// A kind's name, for an error's sentence: "submit", "start member".
std::string_view name_of(const RequestBody& body);

}  // namespace quorate::group
