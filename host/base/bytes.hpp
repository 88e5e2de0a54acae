#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace quorate {

using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Immutable bytes that are shared, not copied: a view into a buffer that it keeps alive. Copying
// one copies a pointer and a count. Thread: any; the bytes never change.
class Bytes {
 public:
    Bytes() = default;
    // `view` must lie in memory that `owner` keeps alive.
    Bytes(std::shared_ptr<const void> owner, ByteView view)
        : owner_(std::move(owner)), view_(view) {}

    static Bytes copy_of(ByteView view) {
        auto buffer = std::make_shared_for_overwrite<std::byte[]>(view.size());
        if (!view.empty()) std::memcpy(buffer.get(), view.data(), view.size());
        ByteView copied(buffer.get(), view.size());
        return {std::move(buffer), copied};
    }
    static Bytes copy_of(std::string_view text) { return copy_of(as_bytes(text)); }
    static Bytes take(std::string text) {
        auto owner = std::make_shared<const std::string>(std::move(text));
        ByteView view = as_bytes(*owner);
        return {std::move(owner), view};
    }

    ByteView view() const { return view_; }
    std::string_view text() const { return as_text(view_); }
    std::size_t size() const { return view_.size(); }
    bool empty() const { return view_.empty(); }
    // A part of the same buffer. Pre: offset + count <= size().
    Bytes slice(std::size_t offset, std::size_t count) const {
        return {owner_, view_.subspan(offset, count)};
    }
    friend bool operator==(const Bytes& a, const Bytes& b) { return a.text() == b.text(); }

 private:
    std::shared_ptr<const void> owner_;
    ByteView view_;
};

}  // namespace quorate
