#pragma once

#include "host/base/time.hpp"
#include "host/raft/types.hpp"

#include <map>

namespace quorate::group {

// How fast entries that left the caches are read back for peers that catch up, while the group has
// commands. Unpaced, a peer's reads, sends and writes take what they can get, and commands had 0.6 of the
// rate that they have when it is level. So each read waits four times as long as what the one before it
// gave was under way; but less if the peer would not come nearer, meanwhile, by an eighth of what it is
// sent: it would never be level.
//
// Thread: the shard.
class CatchUpPace {
 public:
    struct Read {
        Time asked;
        Index from;
        Index last;             // of the log
        bool has_work = false;  // commands of the group are not settled
    };
    // How long this read is to wait before it begins.
    Duration next_pause(MemberId peer, const Read& read);

 private:
    struct Latest {
        Read read;
        Duration pause{};
    };
    static Duration pause_after(const Latest& before, const Read& now);

    static constexpr int waits_for = 4;  // times what was under way
    // What took longer is bound by something else than this host; or it is another absence.
    static constexpr Duration under_way_max = 100ms;

    std::map<MemberId, Latest> latest_;
};

}  // namespace quorate::group
