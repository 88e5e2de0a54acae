#include "host/group/catch_up_pace.hpp"

#include <algorithm>

namespace quorate::group {

Duration CatchUpPace::next_pause(MemberId peer, const Read& read) {
    Latest& latest = latest_[peer];
    latest = {read, pause_after(latest, read)};
    return latest.pause;
}

Duration CatchUpPace::pause_after(const Latest& before, const Read& now) {
    Duration cycle = now.asked - before.read.asked;
    Duration under_way = cycle - before.pause;
    bool goes_on = before.read.from < now.from && before.read.last <= now.last && under_way > 0ns &&
                   under_way < under_way_max;
    if (!goes_on || !now.has_work) return {};
    auto sent = static_cast<double>(now.from - before.read.from);
    auto come = static_cast<double>(now.last - before.read.last);
    if (come <= 0) return waits_for * under_way;
    // In so long as many entries come as seven eighths of what is sent.
    double bearable = 0.875 * sent / come * static_cast<double>(cycle.count());
    double longest = bearable - static_cast<double>(under_way.count());
    auto wished = static_cast<double>((waits_for * under_way).count());
    return Duration(static_cast<Duration::rep>(std::clamp(longest, 0.0, wished)));
}

}  // namespace quorate::group
