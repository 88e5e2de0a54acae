#include "host/group/catch_up_pace.hpp"

#include <utility>

namespace quorate::group {

Duration CatchUpPace::pause(MemberId peer, const Read& now) {
    Read before = std::exchange(latest_[peer], now);
    Duration under_way = now.begin - before.begin;
    bool goes_on = before.from < now.from && before.last <= now.last && under_way < under_way_max;
    if (!goes_on) return {};
    std::uint64_t sent = now.from - before.from;
    std::uint64_t come = now.last - before.last;
    return 4 * come <= 3 * sent ? 2 * under_way : Duration{};
}

}  // namespace quorate::group
