#pragma once

#include "host/base/result.hpp"
#include "rpc/bench/load.hpp"
#include "rpc/client/client.hpp"

#include <string>
#include <vector>

namespace quorate::bench {

// What is wrong with an account, in a line; nothing if `held` can have come of what was written.
std::string check_account(const Written& written, const Account& held);

// Whether every acknowledged command was applied exactly once on every member: what each group holds
// is what was acknowledged, and all its members hold the same state at one index. Returns
// what is wrong, a line each; nothing if all is well. Waits up to 30 s until the members are level.
// An error: it could not be found out.
Result<std::string> verify(client::Client& client, const std::vector<Written>& written);

}  // namespace quorate::bench
