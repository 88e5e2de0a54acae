#include "host/group/repair.hpp"

#include <algorithm>

namespace quorate::group {
namespace {

bool has_failed(const Standstill& standstill, const std::string& build) {
    return std::ranges::find(standstill.builds, build) != standstill.builds.end();
}

}  // namespace

std::optional<machine::MachineRef> untried_build(const machine::MachineFactory& machines,
                                                 const machine::MachineRef& ref,
                                                 const Standstill& standstill) {
    for (machine::MachineRef& build : machines.builds_for(ref)) {
        if (!has_failed(standstill, build.build)) return std::move(build);
    }
    return std::nullopt;
}

machine::MachineRef first_build(const machine::MachineFactory& machines,
                                const Registration& registration) {
    const machine::MachineRef& recorded = registration.machine;
    if (registration.standstill.at == Index{}) return recorded;
    if (auto untried = untried_build(machines, recorded, registration.standstill)) return *untried;
    auto builds = machines.builds_for(recorded);
    return builds.empty() ? recorded : builds.front();
}

void remember_failure(Standstill& standstill, Index at, const std::string& build) {
    if (at > standstill.at) {
        standstill.at = at;
        standstill.builds.clear();
    }
    if (!has_failed(standstill, build)) standstill.builds.push_back(build);
}

bool is_of_the_build(const Error& error) {
    return error.code == Errc::plugin_fault || error.code == Errc::plugin_refused ||
           error.code == Errc::snapshot_rejected || error.code == Errc::machine_not_found ||
           error.code == Errc::unsupported;
}

}  // namespace quorate::group
