#include "rpc/client/rejection.hpp"

#include <array>
#include <cstring>

namespace quorate::client {
namespace {

// qr_rejection of the SDK, which clients do not see; tests/client holds the two together.
struct Head {
    std::array<char, 8> mark;
    std::int32_t code;
    std::uint32_t text_size;
};
static_assert(sizeof(Head) == 16);
constexpr std::array<char, 8> rejection_mark{'\377', 'q', 'r', '.', 'n', 'o', '\1', '\0'};

}  // namespace

std::optional<Rejection> rejection_of(ByteView reply) {
    Head head{};
    if (reply.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, reply.data(), sizeof head);
    if (head.mark != rejection_mark || reply.size() - sizeof head != head.text_size) {
        return std::nullopt;
    }
    return Rejection{head.code, as_text(reply.subspan(sizeof head))};
}

}  // namespace quorate::client
