#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>

namespace quorate::cli {
namespace {

Result<int> list(Invocation& call) {
    TRY(client::Client * client, call.client());
    TRY(auto hosts, client->admin().list_hosts(call.timeout()).get());
    Table table(
        {"HOST", "CLIENTS", "PEERS", "REACHABLE", "ROUND TRIP", "GROUPS", "LEADS", "VERSION"});
    for (const client::HostSummary& h : hosts) {
        table.row({h.name, h.client_address, h.peer_address, h.reachable ? "yes" : "NO",
                   h.reachable ? fmt::format("{} us", h.round_trip_us) : "-",
                   h.reachable ? std::to_string(h.groups) : "-",
                   h.reachable ? std::to_string(h.leaders) : "-", h.version});
    }
    call.out().answer("host.list", list_to_json(hosts), table.text());
    return 0;
}

Result<int> ping(Invocation& call) {
    TRY(client::Client * client, call.client());
    if (call.value("host").empty()) {
        TRY(auto server, client->admin().server(call.timeout()).get());
        // It is connected by now: this is the way there and back, and no more.
        auto sent = std::chrono::steady_clock::now();
        TRY_VOID(client->admin().ping_host(server.host, call.timeout()).get());
        std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - sent;
        call.out().answer("host.ping",
                          boost::json::object{{"host", server.host},
                                              {"endpoint", server.endpoint},
                                              {"roundTripMs", took.count()}},
                          fmt::format("{} at {} answers in {:.0f} us", server.host, server.endpoint,
                                      took.count() * 1000));
        return 0;
    }
    TRY(std::uint64_t us, client->admin().ping_host(call.value("host"), call.timeout()).get());
    call.out().answer("host.ping",
                      boost::json::object{{"host", call.value("host")},
                                          {"roundTripMs", static_cast<double>(us) / 1000}},
                      fmt::format("{} answers in {} us", call.value("host"), us));
    return 0;
}

}  // namespace

std::vector<Verb> host_verbs() {
    return {
        {"host", "list", "the hosts of the cluster", {}, {}, list},
        {"host",
         "ping",
         "does a host answer, and how fast, from the host we are connected to",
         {{"host", "its name (default: the host we connect to)", Parameter::Kind::optional}},
         {},
         ping},
    };
}

}  // namespace quorate::cli
