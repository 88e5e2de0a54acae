#pragma once

#include "rpc/client/types.hpp"

#include <boost/json/value.hpp>

#include <span>
#include <string>

// The client library's values as JSON, and as the words that tables show.
namespace quorate::cli {

boost::json::value to_json(const client::MemberStatus& status);
boost::json::value to_json(const client::MemberAnswer& answer);
boost::json::value to_json(const client::GroupLocation& location);
boost::json::value to_json(const client::SnapshotSummary& snapshot);
boost::json::value to_json(const client::PluginSummary& plugin);
boost::json::value to_json(const client::HostSummary& host);
boost::json::value to_json(EntryId entry);

boost::json::array list_to_json(const auto& items) {
    boost::json::array list;
    for (const auto& item : items) list.push_back(to_json(item));
    return list;
}

std::string hex_id(std::uint64_t id);
std::string to_text(client::VoteKind kind);

}  // namespace quorate::cli
