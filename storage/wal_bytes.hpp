#pragma once

#include "host/base/bytes.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace quorate::storage {

// Appends little-endian values to a string: what the log's small files and images are made of.
class ByteWriter {
 public:
    template <class T>
    requires std::is_integral_v<T>
    void put(T value) {
        char raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        out_.append(raw, sizeof value);
    }
    // Length (4 bytes) and bytes.
    void put_bytes(ByteView bytes) {
        put(static_cast<std::uint32_t>(bytes.size()));
        out_.append(as_text(bytes));
    }
    const std::string& text() const { return out_; }
    std::string take() { return std::move(out_); }

 private:
    std::string out_;
};

// Reads them back. Never past the end: from there on everything reads as 0 and ok() is false.
class ByteReader {
 public:
    explicit ByteReader(ByteView from) : left_(from) {}

    template <class T>
    requires std::is_integral_v<T> T get() {
        T value{};
        if (left_.size() < sizeof value) {
            fail();
            return value;
        }
        std::memcpy(&value, left_.data(), sizeof value);
        left_ = left_.subspan(sizeof value);
        return value;
    }
    ByteView get_bytes() {
        auto size = get<std::uint32_t>();
        if (left_.size() < size) {
            fail();
            return {};
        }
        ByteView bytes = left_.first(size);
        left_ = left_.subspan(size);
        return bytes;
    }
    // A count of things of at least `each` bytes: never more than can follow.
    std::size_t get_count(std::size_t each) {
        auto count = get<std::uint32_t>();
        if (count > left_.size() / each) {
            fail();
            return 0;
        }
        return count;
    }
    bool ok() const { return ok_; }
    bool at_end() const { return ok_ && left_.empty(); }

 private:
    void fail() {
        ok_ = false;
        left_ = {};
    }

    ByteView left_;
    bool ok_ = true;
};

}  // namespace quorate::storage
