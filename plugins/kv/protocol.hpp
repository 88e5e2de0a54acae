#pragma once

// The bytes of the kv machine's commands, queries and replies: what README.md describes, for C++
// callers. The encoders make requests; the parsers read replies, and reject (quorate::Rejection)
// what is none.

#include <optional>
#include <quorate/codec.hpp>
#include <utility>
#include <vector>

namespace quorate::kv {

inline constexpr std::size_t key_size_max = 1024;
inline constexpr std::size_t value_size_max = 4 * 1024 * 1024;
inline constexpr std::uint32_t range_rows_max = 10'000;
inline constexpr std::size_t range_bytes_max = 1024 * 1024;  // a range reply stops after passing it

// The machine's rejections.
inline constexpr std::int32_t rejected_key_size = 1;
inline constexpr std::int32_t rejected_value_size = 2;

enum class Op : std::uint8_t {
    put = 1,
    erase = 2,
    cas = 3,
    get = 16,
    range = 17,
    count = 18,
};

// The first byte of every reply but a rejection.
enum class Tag : std::uint8_t {
    created = 1,
    replaced = 2,
    erased = 3,
    absent = 4,
    swapped = 5,
    mismatch = 6,
    found = 7,
    rows = 8,
    number = 9,
};

using Value = std::optional<std::string_view>;  // nullopt: the key is absent

inline void put_value(Encoder& out, Value value) {
    out.put(static_cast<std::uint8_t>(value.has_value()));
    if (value) out.put_string(*value);
}
inline Value get_value(Decoder& in) {
    auto present = in.get<std::uint8_t>();
    if (present > 1) reject_malformed("a value is neither present nor absent");
    if (present == 0) return std::nullopt;
    return in.get_string();
}

inline Encoder begin(Op op, std::string_view key) {
    Encoder out;
    out.put(op);
    out.put_string(key);
    return out;
}

// --- commands ------------------------------------------------------------------------------------
inline std::string put(std::string_view key, std::string_view value) {
    Encoder out = begin(Op::put, key);
    out.put_string(value);
    return out.take();
}
inline std::string erase(std::string_view key) {
    return begin(Op::erase, key).take();
}

// Sets the key to `desired` if it is as `expected`; nullopt stands for an absent key in both.
struct Cas {
    std::string_view key;
    Value expected;
    Value desired;
};
inline std::string cas(const Cas& request) {
    Encoder out = begin(Op::cas, request.key);
    put_value(out, request.expected);
    put_value(out, request.desired);
    return out.take();
}

// --- queries -------------------------------------------------------------------------------------
inline std::string get(std::string_view key) {
    return begin(Op::get, key).take();
}

// Keys in [from, to) in byte order; an empty `to` means no end. At most `limit` rows and
// range_rows_max.
struct Range {
    std::string_view from;
    std::string_view to;
    std::uint32_t limit = range_rows_max;
};
inline std::string range(const Range& request) {
    Encoder out = begin(Op::range, request.from);
    out.put_string(request.to);
    out.put(request.limit);
    return out.take();
}
inline std::string count(std::string_view from, std::string_view to) {
    Encoder out = begin(Op::count, from);
    out.put_string(to);
    return out.take();
}

// --- replies -------------------------------------------------------------------------------------
inline Tag tag_of(std::string_view reply) {
    return reply.empty() ? Tag{} : static_cast<Tag>(static_cast<std::uint8_t>(reply.front()));
}

// The value that a get found. Views of the reply.
inline Value parse_get(std::string_view reply) {
    if (tag_of(reply) == Tag::absent) return std::nullopt;
    if (tag_of(reply) != Tag::found) reject_malformed("no reply to get");
    return reply.substr(1);
}

enum class Swapped { no, yes };
struct CasReply {
    Swapped swapped = Swapped::no;
    Value actual;  // of a mismatch: what the key holds
};
inline CasReply parse_cas(std::string_view reply) {
    if (tag_of(reply) == Tag::swapped) return {Swapped::yes, std::nullopt};
    if (tag_of(reply) != Tag::mismatch) reject_malformed("no reply to cas");
    Decoder in(reply.substr(1));
    CasReply parsed{Swapped::no, get_value(in)};
    in.expect_end();
    return parsed;
}

struct RangeReply {
    std::vector<std::pair<std::string_view, std::string_view>> rows;
    std::uint8_t more = 0;  // 1: the range goes on after the last row
};
inline RangeReply parse_range(std::string_view reply) {
    if (tag_of(reply) != Tag::rows) reject_malformed("no reply to range");
    Decoder in(reply.substr(1));
    RangeReply parsed;
    parsed.more = in.get<std::uint8_t>();
    while (!in.rest().empty()) {
        std::string_view key = in.get_string();
        parsed.rows.emplace_back(key, in.get_string());
    }
    return parsed;
}

inline std::uint64_t parse_count(std::string_view reply) {
    if (tag_of(reply) != Tag::number) reject_malformed("no reply to count");
    Decoder in(reply.substr(1));
    auto number = in.get<std::uint64_t>();
    in.expect_end();
    return number;
}

}  // namespace quorate::kv
