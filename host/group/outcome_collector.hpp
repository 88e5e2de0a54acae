#pragma once

#include "host/group/host_memory.hpp"
#include "host/machine/machine.hpp"
#include "host/machine/outcome_hash.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace quorate::group {

// Takes what a machine says while it applies a batch: chains it into the outcome hash, and keeps the
// replies that somebody waits for.
//
// Thread: the shard.
class OutcomeCollector final : public machine::ApplySink {
 public:
    OutcomeCollector(GroupId group, ReplyRoom& room) : group_(group), room_(room) {}

    void start_from(std::uint64_t hash) { hash_ = machine::OutcomeHash(hash); }
    std::uint64_t hash() const { return hash_.value(); }

    // `batch` lives until end().
    void begin(std::span<const machine::Command> batch);
    // The reply of this command is to be kept.
    void want(std::size_t command) { replies_[command].wanted = true; }
    // The batch ended after `commands` of its commands: what came from later ones is undone.
    void end(std::size_t commands);
    Bytes take_reply(std::size_t command) { return std::move(replies_[command].bytes); }
    // Of the replies of this batch that are kept.
    std::uint64_t reply_bytes() const { return reply_bytes_; }

    // How often an effect of that kind was asked for, since the member started; the last slot counts all
    // kinds beyond it.
    static constexpr std::size_t effect_kinds = 32;
    std::uint64_t effects(std::size_t kind) const { return effects_[kind]; }

    void reply(std::size_t entry, ByteView bytes) override;
    void effect(std::size_t entry, ByteView record) override;

 private:
    struct Kept {
        bool wanted = false;
        machine::OutcomeHash hash_before;
        Bytes bytes;
    };
    void advance(std::size_t commands);

    const GroupId group_;
    ReplyRoom& room_;  // where the replies that are kept count
    machine::OutcomeHash hash_;
    std::span<const machine::Command> batch_;
    std::vector<Kept> replies_;
    std::size_t reached_ = 0;  // commands below it have begun in the hash
    std::uint64_t reply_bytes_ = 0;
    std::array<std::uint64_t, effect_kinds> effects_{};
};

}  // namespace quorate::group
