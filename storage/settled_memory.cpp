#include "storage/settled_memory.hpp"

#include "host/base/check.hpp"

#include <set>

namespace quorate::storage {
namespace {

using Content = MemorySettledHome::Content;

class MemorySettledLog final : public SettledLog {
 public:
    explicit MemorySettledLog(std::shared_ptr<Content> durable)
        : durable_(std::move(durable)), working_(*durable_) {}

    Result<SettledState> load() override {
        SettledState state{.mark = durable_->mark};
        for (const auto& [group, image] : durable_->images) state.images.emplace(group, image);
        return state;
    }

    Result<void> put(GroupId group, const Run& run) override {
        auto entries = decode_run(Bytes::copy_of(run.row()), run.first());
        CHECK(entries.has_value(), "a run decodes");
        for (raft::Entry& entry : *entries) {
            touched_entries_.insert({group, entry.id.index});
            working_.entries.insert_or_assign({group, entry.id.index}, std::move(entry));
        }
        return {};
    }

    Result<void> truncate(GroupId group, Index from) override {
        remove(group, from, Index(~std::uint64_t{0}));
        return {};
    }

    Result<void> release(GroupId group, Index to) override {
        remove(group, Index(), to);
        return {};
    }

    Result<void> put_image(GroupId group, const GroupImage& image) override {
        working_.images[group] = image;
        touched_images_.insert(group);
        return {};
    }

    Result<void> erase(GroupId group) override {
        TRY_VOID(truncate(group, Index()));
        working_.images.erase(group);
        touched_images_.insert(group);
        return {};
    }

    Result<void> checkpoint(SettledMark mark) override {
        for (const auto& key : touched_entries_) copy(key, working_.entries, durable_->entries);
        for (GroupId group : touched_images_) copy(group, working_.images, durable_->images);
        touched_entries_.clear();
        touched_images_.clear();
        durable_->mark = working_.mark = mark;
        return {};
    }

    Result<std::vector<raft::Entry>> read(GroupId group, Index from, Index to,
                                          std::uint64_t max_bytes) override {
        std::vector<raft::Entry> found;
        std::uint64_t bytes = 0;
        for (Index at = from; at <= to; at = at.next()) {
            auto entry = working_.entries.find({group, at});
            if (entry == working_.entries.end()) break;
            bytes += entry->second.payload.size();
            if (!found.empty() && bytes > max_bytes) break;
            found.push_back(entry->second);
        }
        if (found.empty()) {
            return fail(Errc::not_found,
                        "entry " + std::to_string(from.value()) + " is not in the settled log");
        }
        return found;
    }

 private:
    void remove(GroupId group, Index from, Index to) {
        auto at = working_.entries.lower_bound({group, from});
        while (at != working_.entries.end() && at->first <= std::pair(group, to)) {
            touched_entries_.insert(at->first);
            at = working_.entries.erase(at);
        }
    }

    template <class Key, class Map>
    static void copy(const Key& key, const Map& from, Map& to) {
        auto found = from.find(key);
        if (found == from.end()) {
            to.erase(key);
        } else {
            to.insert_or_assign(key, found->second);
        }
    }

    std::shared_ptr<Content> durable_;
    Content working_;
    std::set<std::pair<GroupId, Index>> touched_entries_;
    std::set<GroupId> touched_images_;
};

}  // namespace

Result<std::unique_ptr<SettledLog>> MemorySettledHome::create() {
    durable_ = std::make_shared<Content>();
    return std::unique_ptr<SettledLog>(std::make_unique<MemorySettledLog>(durable_));
}

Result<std::unique_ptr<SettledLog>> MemorySettledHome::open() {
    if (!durable_) return fail(Errc::not_found, "there is no settled log in memory");
    if (damaged_) return fail(Errc::corrupt, "the settled log in memory is damaged");
    return std::unique_ptr<SettledLog>(std::make_unique<MemorySettledLog>(durable_));
}

Result<std::string> MemorySettledHome::set_aside() {
    durable_.reset();
    damaged_ = false;
    return "settled-" + std::to_string(++set_aside_count_);
}

}  // namespace quorate::storage
