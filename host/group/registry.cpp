#include "host/group/registry.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace quorate::group {
namespace {

std::size_t hash_of(std::string_view name) {
    return std::hash<std::string_view>{}(name);
}

}  // namespace

Registry::Entry Registry::find(std::string_view name) const {
    const auto& bucket = buckets_[hash_of(name) % bucket_count];
    if (!bucket) return nullptr;
    auto found = std::find_if(bucket->begin(), bucket->end(),
                              [name](const Entry& entry) { return entry->name == name; });
    return found == bucket->end() ? nullptr : *found;
}

std::vector<Registry::Entry> Registry::entries() const {
    std::vector<Entry> all;
    all.reserve(size_);
    for (const auto& bucket : buckets_) {
        if (bucket) all.insert(all.end(), bucket->begin(), bucket->end());
    }
    return all;
}

std::shared_ptr<const Registry> Registry::with(Entry entry) const {
    auto next = std::make_shared<Registry>(*this);
    auto& bucket = next->buckets_[hash_of(entry->name) % bucket_count];
    auto changed = bucket ? std::make_shared<Bucket>(*bucket) : std::make_shared<Bucket>();
    changed->push_back(std::move(entry));
    bucket = std::move(changed);
    ++next->size_;
    return next;
}

std::shared_ptr<const Registry> Registry::without(std::string_view name) const {
    auto next = std::make_shared<Registry>(*this);
    auto& bucket = next->buckets_[hash_of(name) % bucket_count];
    if (!bucket) return next;
    auto changed = std::make_shared<Bucket>(*bucket);
    next->size_ -=
        std::erase_if(*changed, [name](const Entry& entry) { return entry->name == name; });
    bucket = std::move(changed);
    return next;
}

}  // namespace quorate::group
