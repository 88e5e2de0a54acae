#pragma once

#include "host/group/host_shard.hpp"

#include <string>

namespace quorate::group {

// A group was deleted while one of its hosts was away, and the host that would have told it has been
// restarted since: a member stands there alone, without anybody to elect it. It also holds the group's
// name. This removes such members.
//
// Done: some were found, and are gone. Errc::no_such_group: nothing of the name stands alone, so
// whoever called goes on as with any group. Certain only where enough hosts of the members' own
// membership have said that they hold nothing: silence is no answer.
Operation<Result<Done>> remove_leftovers(HostShard& shard, std::string name, Time deadline);

}  // namespace quorate::group
