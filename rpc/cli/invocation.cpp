#include "rpc/cli/dev_cluster.hpp"
#include "rpc/cli/verb.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace quorate::cli {
namespace {

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        std::size_t comma = text.find(',');
        if (comma != 0) parts.emplace_back(text.substr(0, comma));
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    return parts;
}

std::vector<std::string> endpoints_for(const Settings& settings) {
    if (!settings.endpoints.empty()) return settings.endpoints;
    // Read before any thread is started.
    if (const char* text = std::getenv("QUORATE_ENDPOINTS"); text != nullptr && *text != '\0') {
        return split(text);
    }
    if (auto cluster = DevCluster::load(); cluster.has_value()) return cluster->endpoints();
    return {"127.0.0.1:7700"};
}

std::string token_for(const Settings& settings) {
    if (!settings.token.empty()) return settings.token;
    const char* text = std::getenv("QUORATE_TOKEN");
    return text == nullptr ? std::string{} : text;
}

}  // namespace

bool Invocation::given(const std::string& name) const {
    return !values(name).empty();
}

const std::string& Invocation::value(const std::string& name) const {
    static const std::string none;
    if (given(name)) return values(name).front();
    auto fallback = fallbacks_.find(name);
    return fallback == fallbacks_.end() ? none : fallback->second;
}

const std::vector<std::string>& Invocation::values(const std::string& name) const {
    static const std::vector<std::string> none;
    auto found = given_.find(name);
    return found == given_.end() ? none : found->second;
}

Result<std::uint64_t> Invocation::number(const std::string& name, std::uint64_t least,
                                         std::uint64_t most) const {
    const std::string& text = value(name);
    std::uint64_t number = 0;
    auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool whole = error == std::errc{} && rest == text.data() + text.size();
    if (whole && number >= least && number <= most) return number;
    return fail(Errc::request_invalid,
                fmt::format("--{} {}: a whole number from {} to {}", name, text, least, most));
}

Result<client::ReadLevel> Invocation::read_level(const std::string& name) const {
    const std::string& text = value(name);
    if (text == "local") return client::ReadLevel::local;
    if (text == "leader") return client::ReadLevel::leader;
    if (text == "linearizable") return client::ReadLevel::linearizable;
    return fail(Errc::request_invalid,
                fmt::format("--{} {}: local, leader or linearizable", name, text));
}

client::ClientOptions Invocation::connection() const {
    return {.endpoints = endpoints_for(settings_),
            .token = token_for(settings_),
            .software = "quorate-cli"};
}

Result<client::Client*> Invocation::client() {
    if (!client_) {
        TRY(client_, client::Client::connect(connection()));
    }
    return client_.get();
}

std::string Invocation::cluster() {
    if (!client_) return {};
    auto server = client_->admin().server(settings_.timeout).get();
    return server.has_value() ? server->cluster : std::string();
}

void warn_of_absent(Invocation& call, const std::vector<client::HostSummary>& hosts,
                    std::string_view consequence) {
    for (const client::HostSummary& host : hosts) {
        if (host.reachable) continue;
        call.out().warn(fmt::format("host {} does not answer: {}", host.name, consequence));
    }
}

}  // namespace quorate::cli
