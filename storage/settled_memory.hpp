#pragma once

#include "storage/settled_log.hpp"

#include <map>
#include <memory>
#include <utility>

namespace quorate::storage {

// A settled log in memory with the crash semantics of the real one, for the simulator: what was
// not checkpointed is gone when it is opened anew. The home is the disk: it outlives the engines.
// Thread: one, for all calls.
class MemorySettledHome final : public SettledHome {
 public:
    struct Content {
        std::map<std::pair<GroupId, Index>, raft::Entry> entries;
        std::map<GroupId, GroupImage> images;
        SettledMark mark;
    };

    Result<bool> exists() override { return durable_ != nullptr; }
    Result<std::unique_ptr<SettledLog>> create() override;
    Result<std::unique_ptr<SettledLog>> open() override;
    Result<std::string> set_aside() override;

    // Makes the next open() find it damaged, as a flipped bit does.
    void damage() { damaged_ = true; }
    std::uint64_t checkpoints() const { return durable_ ? durable_->mark.file : 0; }
    const Content* content() const { return durable_.get(); }

 private:
    std::shared_ptr<Content> durable_;  // what the last checkpoint holds
    bool damaged_ = false;
    int set_aside_count_ = 0;
};

}  // namespace quorate::storage
