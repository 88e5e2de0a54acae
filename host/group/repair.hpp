#pragma once

#include "host/group/registration.hpp"

#include <optional>

// Which build of its machine a member runs (docs/decisions/0008). It keeps to the one that it has
// until that gets no further; then to the newest installed one that can run the group's machine
// version and has not failed at the same entry, as soon as a plugin is installed or the host
// starts again. Pure; thread: the shard.
namespace quorate::group {

// The newest build that may take over from `ref` where it stands still, if there is one.
std::optional<machine::MachineRef> untried_build(const machine::MachineFactory& machines,
                                                 const machine::MachineRef& ref,
                                                 const Standstill& standstill);

// What a member begins with: the build that is recorded; after a standstill the newest untried
// one, and if all have failed the newest, because a fault may have been the moment's.
machine::MachineRef first_build(const machine::MachineFactory& machines,
                                const Registration& registration);

// `build` got no further than `reached`, so that applying stands still before entry `at`.
void remember_failure(Standstill& standstill, Index at, const std::string& build);

// Whether the error is the machine's, so that another build of it may do better; else it is the
// disk's, or says that the build is not here.
bool is_of_the_build(const Error& error);

}  // namespace quorate::group
