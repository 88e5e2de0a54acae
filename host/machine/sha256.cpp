#include "host/machine/sha256.hpp"

#include "host/base/check.hpp"

#include <openssl/evp.h>

#include <array>

namespace quorate::machine {

std::string sha256_hex(ByteView bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    CHECK(
        EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1,
        "OpenSSL could not compute a SHA-256");
    std::string hex;
    hex.reserve(std::size_t{length} * 2);
    for (unsigned i = 0; i < length; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex.push_back(digits[digest[i] >> 4]);
        hex.push_back(digits[digest[i] & 15U]);
    }
    return hex;
}

}  // namespace quorate::machine
