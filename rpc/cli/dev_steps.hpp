#pragma once

#include "host/base/bytes.hpp"
#include "rpc/cli/dev_cluster.hpp"

#include <string>
#include <vector>

// What it takes to get a development cluster going, for `quorate dev` and `quorate bench`.
namespace quorate::cli {

// Far more than it takes, on a machine that is very busy.
inline constexpr Duration start_timeout = 60s;

// Of what lies beside this program: quorated in the same folder, or ../sbin.
Result<std::string> find_quorated();
// ../plugins/NAME.so, or ../lib/quorate/plugins/NAME.so.
Result<std::string> find_plugin(const std::string& name);
Result<Bytes> read_plugin(const std::string& path);

Result<void> start_all(DevCluster& cluster);
// A plugin, a group or a member goes only to a host that whoever gives it has met.
Result<void> wait_until_all_met(DevCluster& cluster);

}  // namespace quorate::cli
