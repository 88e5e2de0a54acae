#include "host/group/roll_call.hpp"

#include <algorithm>

namespace quorate::group {

RollCall call_roll(HostShard& shard) {
    RollCall roll;
    for (const KnownHost& host : shard.known_hosts()) roll.hosts.push_back(host.name);
    roll.unmet_seeds = shard.host().environment.directory.unmet_seeds();
    return roll;
}

std::string absent(const RollCall& roll, const std::vector<HostName>& heard,
                   const std::vector<HostAnswer>& answers) {
    std::string text;
    auto add = [&text](const std::string& who) { text += (text.empty() ? "" : "; ") + who; };
    for (const HostName& host : roll.hosts) {
        if (std::find(heard.begin(), heard.end(), host) != heard.end()) continue;
        auto answer = std::find_if(answers.begin(), answers.end(),
                                   [&host](const HostAnswer& one) { return one.host == host; });
        bool said_why = answer != answers.end() && answer->answer.fate == Fate::answered &&
                        !answer->answer.result;
        add(said_why ? host + ": " + to_string(answer->answer.result.error()) : host);
    }
    for (const std::string& seed : roll.unmet_seeds) add(seed + ", which was never met");
    return text;
}

}  // namespace quorate::group
