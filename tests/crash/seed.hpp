#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

namespace quorate::testing {

// QUORATE_SEED chooses another run than the usual one. The hosts' own timing differs in any case.
inline std::uint64_t seed_of_run() {
    const char* given = std::getenv("QUORATE_SEED");
    std::uint64_t seed = given != nullptr ? std::stoull(given) : 20'240'601;
    std::cout << "seed " << seed << "\n";
    return seed;
}

}  // namespace quorate::testing
