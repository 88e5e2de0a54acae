#pragma once

#include "host/raft/types.hpp"

#include <string>
#include <vector>

namespace quorate::raft::test {

// As scripts show them: one line each, only what says something.
std::string print(EntryId id);                 // term/index
std::string print(const Entry& entry);         // 2/7'x'
std::string print(const Membership& members);  // 1 2 3? 4-   (? promotable, - non-voter)
std::string print(const Message& message);
// Every line that the output of a member deserves.
std::vector<std::string> print(MemberId member, const Output& output);
std::string print(Role role);

}  // namespace quorate::raft::test
