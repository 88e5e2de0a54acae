#include "host/machine/reply_text.hpp"

#include <algorithm>
#include <cstring>
#include <quorate/effect.h>

namespace quorate::machine {
namespace {

bool is_rejection(ByteView reply, qr_rejection& head) {
    if (reply.size() < sizeof(head)) return false;
    std::memcpy(&head, reply.data(), sizeof(head));
    return std::memcmp(head.mark, QR_REJECTION_MARK, sizeof(head.mark)) == 0 &&
           reply.size() - sizeof(head) == head.text_size;
}

}  // namespace

std::string plain_text_of(ByteView reply) {
    if (qr_rejection head{}; is_rejection(reply, head)) {
        return "rejected (" + std::to_string(head.code) +
               "): " + std::string(as_text(reply.subspan(sizeof(head))));
    }
    auto printable = [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\t'; };
    if (std::ranges::all_of(as_text(reply), printable)) return std::string(as_text(reply));
    std::string hex = "0x";
    for (std::byte b : reply) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex.push_back(digits[std::to_integer<unsigned>(b) >> 4]);
        hex.push_back(digits[std::to_integer<unsigned>(b) & 15U]);
    }
    return hex;
}

Bytes rejection(std::int32_t code, std::string_view text) {
    qr_rejection head{};
    std::memcpy(head.mark, QR_REJECTION_MARK, sizeof head.mark);
    head.code = code;
    head.text_size = static_cast<std::uint32_t>(text.size());
    std::string bytes(sizeof head, '\0');
    std::memcpy(bytes.data(), &head, sizeof head);
    bytes += text;
    return Bytes::take(std::move(bytes));
}

}  // namespace quorate::machine
