#pragma once

// Bytes to values and back, in memory: little endian, fixed width, strings with a 32-bit length in
// front. Enough for commands, queries and replies; a machine may as well use Cap'n Proto in place,
// command bytes are aligned for it.

#include <cstdint>
#include <cstring>
#include <quorate/abi_base.h>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {

// Codes of the SDK's own rejections; a machine's own are positive.
inline constexpr std::int32_t rejected_malformed =
    -1;  // the bytes or words are no command of this machine

// A deterministic "no". Thrown by reject(); the SDK turns it into the entry's reply (a
// qr_rejection), into the refusal of a query, of words, or of a snapshot, by where it was thrown.
class Rejection {
 public:
    Rejection(std::int32_t code, std::string text) : code_(code), text_(std::move(text)) {}
    std::int32_t code() const { return code_; }
    const std::string& text() const { return text_; }

 private:
    std::int32_t code_;
    std::string text_;
};

// Ends the handling of an entry with a rejection as its reply. What the machine has changed or
// emitted before stays: decide first, then change. Code: positive, the machine's own.
[[noreturn]] inline void reject(std::int32_t code, std::string text) {
    throw Rejection(code, std::move(text));
}
[[noreturn]] inline void reject_malformed(std::string text) {
    throw Rejection(rejected_malformed, std::move(text));
}

// What may travel as its own bytes: no pointers to follow, no padding that would carry stray
// memory.
template <class T>
concept Plain = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> &&
                (std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>);

namespace detail {

// put() and put_string() for whatever can write().
template <class Derived>
class Puts {
 public:
    template <Plain T>
    void put(const T& value) {
        char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        self().write(std::string_view(bytes, sizeof(T)));
    }
    // A 32-bit length, then the bytes. At most 4 GiB.
    void put_string(std::string_view text) {
        put(static_cast<std::uint32_t>(text.size()));
        self().write(text);
    }

 private:
    Derived& self() { return static_cast<Derived&>(*this); }
};

}  // namespace detail

// Builds bytes in memory.
class Encoder : public detail::Puts<Encoder> {
 public:
    void write(std::string_view bytes) { bytes_.append(bytes); }
    std::string_view bytes() const { return bytes_; }
    std::string take() { return std::move(bytes_); }

 private:
    std::string bytes_;
};

// Reads borrowed bytes. Whatever is missing or too much is rejected as malformed, so a machine can
// read a client's bytes without checks of its own.
class Decoder {
 public:
    explicit Decoder(std::string_view bytes) : rest_(bytes) {}

    template <Plain T>
    T get() {
        std::string_view bytes = read(sizeof(T));
        T value;
        std::memcpy(&value, bytes.data(), sizeof(T));
        return value;
    }
    // What put_string() wrote; a view of the borrowed bytes.
    std::string_view get_string() { return read(get<std::uint32_t>()); }
    std::string_view read(std::size_t size) {
        if (size > rest_.size()) reject_malformed("the bytes end too early");
        std::string_view bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    std::string_view rest() const { return rest_; }
    // Rejects if anything is left.
    void expect_end() const {
        if (!rest_.empty()) reject_malformed("there are bytes beyond the end");
    }

 private:
    std::string_view rest_;
};

inline qr_bytes to_abi(std::string_view bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}
inline std::string_view from_abi(qr_bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}

}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
