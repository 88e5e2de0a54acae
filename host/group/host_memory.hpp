#pragma once

#include "host/base/bytes.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace quorate::group {

// What all members of one host hold together. Each member keeps bounds of its own; with a thousand groups
// on a host, these are what its memory depends on.
//
// Thread: any; counted, not locked, so what several threads add at once may pass a limit by as much.
class HostMemory {
 public:
    struct Limits {
        // Recent entries kept for followers and the machine; beyond, every member's cache is cut back.
        std::uint64_t cache_bytes = 64ull << 20;
        // Payloads given to the log and not durable yet; beyond, commands are refused as overloaded: the
        // disk is slower than what comes.
        std::uint64_t unstored_bytes = 256ull << 20;
        // Answers that nobody has taken yet; beyond, members with large answers stop applying until
        // some are read, and queries are refused as overloaded.
        std::uint64_t reply_bytes = 64ull << 20;
    };

    explicit HostMemory(Limits limits) : limits_(limits) {}
    HostMemory(const HostMemory&) = delete;

    const Limits& limits() const { return limits_; }
    std::atomic<std::uint64_t> cached = 0;
    std::atomic<std::uint64_t> unstored = 0;
    std::atomic<std::uint64_t> replies = 0;
    std::atomic<std::uint64_t> members = 0;  // that share all this

    bool caches_full() const { return cached > limits_.cache_bytes; }
    // What each member may keep once they are: half of it all, so that it is not done again at once.
    std::uint64_t cache_share() const {
        return limits_.cache_bytes / 2 / std::max<std::uint64_t>(members, 1);
    }
    bool disk_is_behind() const { return unstored > limits_.unstored_bytes; }
    bool replies_full() const { return replies > limits_.reply_bytes; }

 private:
    const Limits limits_;
};
using SharedHostMemory = std::shared_ptr<HostMemory>;

// The answers that one member gave and nobody has taken yet. Thread: that of the member; what it
// counts may be let go of on any.
class ReplyRoom {
 public:
    // Smaller answers are not counted: what waits of them is bounded by how many commands do.
    static constexpr std::size_t counted_from = 512;
    // What a member may hold though its host's room is full: small answers are not held up by
    // other members' large ones.
    static constexpr std::uint64_t own_share = 1u << 20;

    explicit ReplyRoom(SharedHostMemory host) : held_(std::make_shared<Held>(std::move(host))) {}

    // The same bytes, counted until the last that refers to them is gone.
    Bytes count(Bytes reply) const {
        if (reply.size() < counted_from) return reply;
        auto counted = std::make_shared<const Counted>(held_, std::move(reply));
        ByteView view = counted->bytes.view();
        return {std::move(counted), view};
    }
    bool full() const { return held_->host->replies_full() && held_->bytes > own_share; }

 private:
    struct Held {
        explicit Held(SharedHostMemory of) : host(std::move(of)) {}
        const SharedHostMemory host;
        std::atomic<std::uint64_t> bytes = 0;
    };
    struct Counted {
        Counted(std::shared_ptr<Held> in, Bytes reply)
            : held(std::move(in)), bytes(std::move(reply)) {
            held->bytes += bytes.size();
            held->host->replies += bytes.size();
        }
        ~Counted() {
            held->bytes -= bytes.size();
            held->host->replies -= bytes.size();
        }
        Counted(const Counted&) = delete;
        const std::shared_ptr<Held> held;
        const Bytes bytes;
    };
    std::shared_ptr<Held> held_;
};

}  // namespace quorate::group
