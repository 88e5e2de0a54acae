#pragma once

#include "host/base/executor.hpp"
#include "storage/log_store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <variant>

// What the engine is asked: LogStore's calls as values.
namespace quorate::storage {

// Who is told of a group's durable stores. `client` is touched on the executor's thread only, the
// rest on the engine's.
struct Attachment {
    Executor* executor = nullptr;
    LogClient* client = nullptr;  // nobody: detached
    // The report under way that names it, so that a batch tells each client once.
    std::uint64_t report = 0;
    std::size_t place = 0;
};

namespace request {

using Done = std::function<void(Result<void>)>;

struct Create {
    GroupId group;
    Bytes registration;
    Executor* on = nullptr;
    Done done;
};
struct Update {
    GroupId group;
    Bytes registration;
    Executor* on = nullptr;
    Done done;
};
struct Erase {
    GroupId group;
    Executor* on = nullptr;
    Done done;
};
struct Attach {
    GroupId group;
    std::shared_ptr<Attachment> attachment;
};
// Takes effect only if the attachment is still the group's.
struct Detach {
    GroupId group;
    std::shared_ptr<Attachment> attachment;
};
struct Write {
    GroupId group;
    raft::Store store;
};
struct Read {
    GroupId group;
    Index from;
    Index to;
    std::uint64_t max_bytes = 0;
    Executor* on = nullptr;
    LogStore::ReadDone done;
    int attempt = 0;
};
struct Recover {
    GroupId group;
    Executor* on = nullptr;
    LogStore::RecoverDone done;
    int attempt = 0;
};
struct Release {
    GroupId group;
    EntryId up_to;
};
struct Repaired {
    GroupId group;
};
// Nothing; but something that was done aside has come to an end.
struct Nudge {};

}  // namespace request

using Request = std::variant<request::Create, request::Update, request::Erase, request::Attach,
                             request::Detach, request::Write, request::Read, request::Recover,
                             request::Release, request::Repaired, request::Nudge>;

}  // namespace quorate::storage
