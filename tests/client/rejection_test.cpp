#include "rpc/client/rejection.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <quorate/command.hpp>
#include <quorate/effect.h>
#include <string>

// A machine's "no" is the same to a client as to the SDK that wrote it.
namespace quorate::client {
namespace {

std::string reply_of(std::int32_t code, std::string_view text) {
    qr_rejection head{};
    std::memcpy(head.mark, QR_REJECTION_MARK, sizeof head.mark);
    head.code = code;
    head.text_size = static_cast<std::uint32_t>(text.size());
    return std::string(reinterpret_cast<const char*>(&head), sizeof head).append(text);
}

TEST(Rejection, is_read_as_the_sdk_writes_it) {
    for (std::int32_t code : {1, -1, 4711}) {
        for (std::string_view text : {"", "a key has 1 to 1024 bytes"}) {
            std::string reply = reply_of(code, text);
            auto rejection = rejection_of(as_bytes(reply));
            ASSERT_TRUE(rejection.has_value());
            EXPECT_EQ(rejection->code, code);
            EXPECT_EQ(rejection->text, text);
            EXPECT_EQ(quorate::rejection_of(reply).code, rejection->code);
            EXPECT_EQ(quorate::rejection_of(reply).text, rejection->text);
        }
    }
}

TEST(Rejection, is_nothing_that_only_looks_alike) {
    std::string reply = reply_of(1, "no");
    EXPECT_FALSE(rejection_of(as_bytes(std::string())).has_value());
    for (std::size_t cut = 0; cut < reply.size(); ++cut) {
        EXPECT_FALSE(rejection_of(as_bytes(reply.substr(0, cut))).has_value()) << cut;
    }
    EXPECT_FALSE(rejection_of(as_bytes(reply + "!")).has_value());
    for (std::size_t i = 0; i < 8; ++i) {
        std::string other = reply;
        other[i] ^= 1;
        EXPECT_FALSE(rejection_of(as_bytes(other)).has_value()) << i;
    }
}

}  // namespace
}  // namespace quorate::client
