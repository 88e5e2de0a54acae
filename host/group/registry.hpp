#pragma once

#include "host/group/registration.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace quorate::group {

// The groups that have a member on this host, by name. A value that never changes: with() and
// without() give the next one, which shares all but one bucket with it. Every shard holds the newest
// by shared_ptr and is posted the next, so finding a group takes no lock.
class Registry {
 public:
    using Entry = std::shared_ptr<const Registration>;

    // Null: no member here.
    Entry find(std::string_view name) const;
    std::size_t size() const { return size_; }
    std::vector<Entry> entries() const;

    // Pre: find(entry->name) is null.
    std::shared_ptr<const Registry> with(Entry entry) const;
    // The same if there is none of that name.
    std::shared_ptr<const Registry> without(std::string_view name) const;

 private:
    static constexpr std::size_t bucket_count = 256;
    using Bucket = std::vector<Entry>;

    std::array<std::shared_ptr<const Bucket>, bucket_count> buckets_;  // null: empty
    std::size_t size_ = 0;
};

}  // namespace quorate::group
