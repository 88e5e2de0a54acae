#include "host/group/calls.hpp"

#include <algorithm>
#include <vector>

namespace quorate::group {

bool Calls::close(std::uint64_t key) {
    auto call = calls_.extract(key);
    if (call.empty()) return false;
    deadlines_.remove(call.mapped().expires);
    return true;
}

void Calls::late(std::uint64_t key) {
    auto call = calls_.extract(key);
    if (call.empty()) return;
    call.mapped().fail(fail(Errc::deadline_exceeded,
                            call.mapped().what + ": the deadline came before the answer"));
}

void Calls::abandon(const Error& error) {
    std::vector<std::uint64_t> keys;
    for (auto& [key, call] : calls_) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    for (std::uint64_t key : keys) {
        auto call = calls_.extract(key);
        if (call.empty()) continue;
        deadlines_.remove(call.mapped().expires);
        call.mapped().fail(within(call.mapped().what, error));
    }
}

}  // namespace quorate::group
