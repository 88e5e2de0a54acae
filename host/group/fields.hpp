#pragma once

#include "host/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>

// Little-endian fields of the small records that the driver writes itself.
namespace quorate::group {

inline void put_u64(std::byte* at, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) at[i] = static_cast<std::byte>(value >> (8 * i));
}
inline std::uint64_t get_u64(const std::byte* at) {
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(at[i]);
    return value;
}

class FieldWriter {
 public:
    FieldWriter& u8(std::uint8_t value) {
        bytes_.push_back(static_cast<char>(value));
        return *this;
    }
    FieldWriter& u64(std::uint64_t value) {
        std::byte raw[8];
        put_u64(raw, value);
        bytes_.append(as_text(raw));
        return *this;
    }
    FieldWriter& blob(ByteView value) {
        u64(value.size());
        bytes_.append(as_text(value));
        return *this;
    }
    FieldWriter& text(std::string_view value) { return blob(as_bytes(value)); }
    Bytes take() && { return Bytes::take(std::move(bytes_)); }

 private:
    std::string bytes_;
};

// Reads what FieldWriter wrote. After a field that is not there everything reads as zero and
// ok() is false: ask once, at the end.
class FieldReader {
 public:
    explicit FieldReader(ByteView bytes) : rest_(bytes) {}

    std::uint8_t u8() { return has(1) ? std::to_integer<std::uint8_t>(cut(1)[0]) : 0; }
    std::uint64_t u64() { return has(8) ? get_u64(cut(8).data()) : 0; }
    ByteView blob() {
        std::uint64_t size = u64();
        return has(size) ? cut(static_cast<std::size_t>(size)) : ByteView();
    }
    std::string text() { return std::string(as_text(blob())); }
    bool ok() const { return ok_; }
    bool at_end() const { return rest_.empty(); }

 private:
    bool has(std::uint64_t count) {
        if (count > rest_.size()) ok_ = false;
        return ok_;
    }
    ByteView cut(std::size_t count) {
        ByteView field = rest_.first(count);
        rest_ = rest_.subspan(count);
        return field;
    }

    ByteView rest_;
    bool ok_ = true;
};

}  // namespace quorate::group
