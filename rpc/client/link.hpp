#pragma once

#include "rpc/client/types.hpp"
#include "rpc/loop/rpc_connection.hpp"

#include <kj/async.h>

#include <map>
#include <memory>
#include <optional>
#include <rpc/schema/client.capnp.h>
#include <string>
#include <vector>

namespace quorate::client {

// A query that leaves with the others of its group that are asked in this turn.
struct Question {
    ReadLevel level;
    Bytes query;
    Time deadline;
    kj::Own<kj::PromiseFulfiller<Result<Answer>>> answer;
};

// A group as one link has it.
struct OpenGroup {
    schema::Group::Client cap;
    std::vector<Question> questions;  // to be asked at the end of the turn
};

// Capabilities are shared, because KJ's own cannot be copied from a const one.
using GroupCap = std::shared_ptr<OpenGroup>;
using AdminCap = std::shared_ptr<schema::Admin::Client>;

// A connection to one host, greeted and logged in. Held by what is under way on it, and by
// Connections until it breaks. Thread: the client's.
struct Link {
    std::string endpoint;
    ServerInfo server;
    std::unique_ptr<loop::RpcConnection> rpc;
    schema::Host::Client host = nullptr;
    std::map<std::string, GroupCap> groups;  // opened so far
    AdminCap admin;                          // null until it is first asked for
    kj::ForkedPromise<void> gone = nullptr;  // when the connection has ended
};
using LinkPtr = std::shared_ptr<Link>;

}  // namespace quorate::client
