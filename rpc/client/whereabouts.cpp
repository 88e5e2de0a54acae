#include "rpc/client/whereabouts.hpp"

#include <algorithm>

namespace quorate::client {

std::vector<std::string> Whereabouts::in_turn(const std::string& preferred, Time now) const {
    std::vector<std::string> list;
    auto add = [&list](const std::string& endpoint) {
        if (!endpoint.empty() && std::ranges::find(list, endpoint) == list.end())
            list.push_back(endpoint);
    };
    add(preferred);
    add(last_);
    for (const std::string& endpoint : given_) add(endpoint);
    for (const auto& [name, host] : hosts_) add(host.endpoint);
    // By when they failed, which for the others is the beginning of time.
    auto failed_at = [this, now](const std::string& endpoint) {
        const Failure* failure = shunned(endpoint, now);
        return failure == nullptr ? Time::min() : failure->at;
    };
    std::ranges::stable_sort(list, {}, failed_at);
    return list;
}

void Whereabouts::works(const std::string& endpoint, const std::string& host) {
    last_ = endpoint;
    failures_.erase(endpoint);
    std::erase_if(hosts_, [&](const auto& known) {
        return known.second.endpoint == endpoint && known.first != host;
    });
    hosts_[host] = {endpoint, true};
}

void Whereabouts::failed(const std::string& endpoint, Time now) {
    Failure& failure = failures_[endpoint];
    failure.at = now;
    failure.shunned_until = now + failure.next_shun;
    failure.next_shun = std::min(2 * failure.next_shun, shun_longest);
    for (auto& [name, host] : hosts_) {
        if (host.endpoint != endpoint) continue;
        host.seen = false;  // it may come back elsewhere
        std::erase_if(leaders_, [&](const auto& led) { return led.second == name; });
    }
}

void Whereabouts::heard(const std::string& host, const std::string& endpoint) {
    if (endpoint.empty()) return;
    Host& known = hosts_[host];
    if (!known.seen) known.endpoint = endpoint;
}

void Whereabouts::leads(const std::string& group, const std::string& host) {
    if (!host.empty()) leaders_[group] = host;
}

std::string Whereabouts::leader(const std::string& group, Time now) const {
    auto leader = leaders_.find(group);
    if (leader == leaders_.end()) return {};
    auto host = hosts_.find(leader->second);
    if (host == hosts_.end() || shunned(host->second.endpoint, now) != nullptr) return {};
    return host->second.endpoint;
}

const Whereabouts::Failure* Whereabouts::shunned(const std::string& endpoint, Time now) const {
    auto failure = failures_.find(endpoint);
    bool lately = failure != failures_.end() && now < failure->second.shunned_until;
    return lately ? &failure->second : nullptr;
}

}  // namespace quorate::client
