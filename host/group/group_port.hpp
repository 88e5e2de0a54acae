#pragma once

#include "host/group/courier.hpp"
#include "host/group/service.hpp"

#include <memory>

namespace quorate::group {

class HostShard;

// A group as one shard's callers see it; its work is done on the shard that owns the group.
// Thread: the caller's shard.
class HostGroupPort final : public GroupPort {
 public:
    HostGroupPort(HostShard& shard, SharedKey group, machine::MachineRef machine)
        : shard_(shard), group_(std::move(group)), machine_(std::move(machine)) {}

    GroupId id() const override { return group_->id; }
    const std::string& name() const override { return group_->name; }
    const machine::MachineRef& machine() const override { return machine_; }
    HostName leader() const override;
    void submit(Bytes payload, Time deadline, std::function<void(Outcome)> done) override;
    void query(ReadLevel level, Index at_least, Bytes query, Time deadline,
               Reply<QueryAnswer> done) override;
    Result<Bytes> encode_command(std::span<const std::string> words) override;
    Result<Bytes> encode_query(std::span<const std::string> words) override;
    std::string render_reply(std::span<const std::string> words, ByteView reply) override;

 private:
    // An instance without a state, made when text is first turned: its own, because the member's
    // may live on another thread or on another host.
    Result<const machine::Machine*> text();
    // Passes an answer of the owning shard on, and keeps what comes with it of the leader.
    template <class T>
    std::function<void(T)> from_owner(std::size_t owner, std::function<void(T)> done);

    HostShard& shard_;
    SharedKey group_;
    machine::MachineRef machine_;
    // Only of a group that another shard owns. Shared with the answers that are on their way.
    std::shared_ptr<HostName> heard_ = std::make_shared<HostName>();
    std::unique_ptr<machine::Machine> scratch_;
};

}  // namespace quorate::group
