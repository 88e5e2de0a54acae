#include "rpc/client/decode.hpp"
#include "rpc/client/journey.hpp"

namespace quorate::client {
namespace {

// Whether it may be asked again although an answer was lost.
enum class Repeat : std::uint8_t { never, freely };

// `make` fills in the request and `read` takes the answer apart; both run on the client's thread.
template <class T, class Make, class Read>
Operation<Result<T>> ask_admin(std::shared_ptr<Connections> connections, Duration timeout,
                               Repeat repeat, Make make, Read read) {
    auto begin = [timeout, repeat, make, read](Connections& c) {
        auto journey = std::make_shared<Journey>(c, std::string(), timeout);
        Request<AdminCap, Result<T>> request;
        request.open = [journey](const LinkPtr& link) {
            return journey->connections().admin(link);
        };
        request.call = [journey, make, read](const LinkPtr&, const AdminCap& admin) {
            return make(*admin, journey->milliseconds_left())
                .send()
                .then([read](auto result) -> Result<T> {
                    if (result.isFailed()) return decode(result.getFailed());
                    return read(result);
                });
        };
        request.repeatable = repeat == Repeat::freely;
        return travel(journey, std::move(request)).then([](End<Result<T>> end) {
            return result_of(std::move(end));
        });
    };
    return make_operation<Result<T>>(std::move(connections), begin, client_gone());
}

Result<void> no_value(auto&&) {
    return {};
}

// A request about a group and the host of one of its members.
template <class Request>
Request about_member(Request request, const std::string& group, const std::string& host,
                     std::uint32_t ms) {
    request.setGroup(text_of(group));
    request.setHost(text_of(host));
    request.setTimeoutMs(ms);
    return request;
}

template <class List>
void set_texts(List list, const std::vector<std::string>& texts) {
    for (unsigned i = 0; i < texts.size(); ++i) list.set(i, text_of(texts[i]));
}

}  // namespace

Operation<Result<GroupLocation>> Admin::create_group(std::string name, std::string plugin,
                                                     std::string machine,
                                                     std::vector<std::string> hosts,
                                                     Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.createGroupRequest();
        request.setName(text_of(name));
        request.setPlugin(text_of(plugin));
        request.setMachine(text_of(machine));
        set_texts(request.initHosts(static_cast<unsigned>(hosts.size())), hosts);
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<GroupLocation>(connections_, timeout, Repeat::never, make,
                                    [](auto& result) { return decode(result.getLocation()); });
}

Operation<Result<void>> Admin::delete_group(std::string name, Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.deleteGroupRequest();
        request.setName(text_of(name));
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<void>(connections_, timeout, Repeat::never, make,
                           [](auto& r) { return no_value(r); });
}

Operation<Result<std::vector<MemberAnswer>>> Admin::list_members(Duration timeout) {
    auto make = [](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.listMembersRequest();
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<std::vector<MemberAnswer>>(
        connections_, timeout, Repeat::freely, make,
        [](auto& result) { return decode_list<schema::MemberAnswer>(result.getMembers()); });
}

Operation<Result<std::vector<MemberAnswer>>> Admin::group_members(std::string group,
                                                                  bool state_hash,
                                                                  Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.groupMembersRequest();
        request.setName(text_of(group));
        request.setStateHash(state_hash);
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<std::vector<MemberAnswer>>(
        connections_, timeout, Repeat::freely, make,
        [](auto& result) { return decode_list<schema::MemberAnswer>(result.getMembers()); });
}

Operation<Result<EntryId>> Admin::add_member(std::string group, std::string host, VoteKind kind,
                                             Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.addMemberRequest();
        request.setGroup(text_of(group));
        request.setHost(text_of(host));
        request.setKind(encode(kind));
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<EntryId>(connections_, timeout, Repeat::never, make,
                              [](auto& result) { return decode(result.getEntry()); });
}

Operation<Result<EntryId>> Admin::remove_member(std::string group, std::string host,
                                                Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        return about_member(admin.removeMemberRequest(), group, host, ms);
    };
    return ask_admin<EntryId>(connections_, timeout, Repeat::never, make,
                              [](auto& result) { return decode(result.getEntry()); });
}

Operation<Result<void>> Admin::transfer_leadership(std::string group, std::string to,
                                                   Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.transferLeadershipRequest();
        request.setGroup(text_of(group));
        request.setTo(text_of(to));
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<void>(connections_, timeout, Repeat::never, make,
                           [](auto& r) { return no_value(r); });
}

Operation<Result<void>> Admin::stop_member(std::string group, std::string host, Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        return about_member(admin.stopMemberRequest(), group, host, ms);
    };
    return ask_admin<void>(connections_, timeout, Repeat::never, make,
                           [](auto& r) { return no_value(r); });
}

Operation<Result<void>> Admin::start_member(std::string group, std::string host, Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        return about_member(admin.startMemberRequest(), group, host, ms);
    };
    return ask_admin<void>(connections_, timeout, Repeat::never, make,
                           [](auto& r) { return no_value(r); });
}

Operation<Result<void>> Admin::trigger_election(std::string group, std::string host,
                                                Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        return about_member(admin.triggerElectionRequest(), group, host, ms);
    };
    return ask_admin<void>(connections_, timeout, Repeat::never, make,
                           [](auto& r) { return no_value(r); });
}

Operation<Result<std::vector<SnapshotSummary>>> Admin::take_snapshot(std::string group,
                                                                     std::string host,
                                                                     Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        return about_member(admin.takeSnapshotRequest(), group, host, ms);
    };
    return ask_admin<std::vector<SnapshotSummary>>(
        connections_, timeout, Repeat::never, make,
        [](auto& result) { return decode_list<schema::SnapshotSummary>(result.getSnapshots()); });
}

Operation<Result<std::vector<SnapshotSummary>>> Admin::list_snapshots(std::string group,
                                                                      Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.listSnapshotsRequest();
        request.setGroup(text_of(group));
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<std::vector<SnapshotSummary>>(
        connections_, timeout, Repeat::freely, make,
        [](auto& result) { return decode_list<schema::SnapshotSummary>(result.getSnapshots()); });
}

Operation<Result<std::vector<PluginSummary>>> Admin::install_plugin(Bytes image, Duration timeout) {
    if (auto error = too_large(*connections_, image.size())) {
        using Installed = Result<std::vector<PluginSummary>>;
        error->hint = "strip the library of its debug information: strip -g FILE";
        auto refuse = [why = *error](Connections&) { return kj::Promise<Installed>(why); };
        return make_operation<Installed>(connections_, refuse, client_gone());
    }
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.installPluginRequest(capnp::MessageSize{image.size() / 8 + 16, 0});
        request.setImage(data_of(image.view()));
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<std::vector<PluginSummary>>(
        connections_, timeout, Repeat::freely,
        make,  // installing the same build again changes nothing
        [](auto& result) { return decode_list<schema::PluginSummary>(result.getPlugins()); });
}

Operation<Result<std::vector<PluginSummary>>> Admin::list_plugins(Duration timeout) {
    auto make = [](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.listPluginsRequest();
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<std::vector<PluginSummary>>(
        connections_, timeout, Repeat::freely, make,
        [](auto& result) { return decode_list<schema::PluginSummary>(result.getPlugins()); });
}

Operation<Result<std::vector<HostSummary>>> Admin::list_hosts(Duration timeout) {
    auto make = [](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.listHostsRequest();
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<std::vector<HostSummary>>(
        connections_, timeout, Repeat::freely, make,
        [](auto& result) { return decode_list<schema::HostSummary>(result.getHosts()); });
}

Operation<Result<std::uint64_t>> Admin::ping_host(std::string host, Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t ms) {
        auto request = admin.pingHostRequest();
        request.setHost(text_of(host));
        request.setTimeoutMs(ms);
        return request;
    };
    return ask_admin<std::uint64_t>(connections_, timeout, Repeat::freely, make,
                                    [](auto& result) { return result.getRoundTripUs(); });
}

Operation<Result<void>> Admin::partition(std::vector<std::string> hosts, Duration timeout) {
    auto make = [=](schema::Admin::Client admin, std::uint32_t) {
        auto request = admin.partitionRequest();
        set_texts(request.initHosts(static_cast<unsigned>(hosts.size())), hosts);
        return request;
    };
    return ask_admin<void>(connections_, timeout, Repeat::freely, make,
                           [](auto& r) { return no_value(r); });
}

Operation<Result<ServerInfo>> Admin::server(Duration timeout) {
    auto begin = [timeout](Connections& c) {
        auto journey = std::make_shared<Journey>(c, std::string(), timeout);
        if (journey->is_over()) {
            return kj::Promise<Result<ServerInfo>>(Result<ServerInfo>(journey->too_late()));
        }
        return journey->next_host().then([](Result<LinkPtr> link) -> Result<ServerInfo> {
            if (!link.has_value()) return link.error();
            return (*link)->server;
        });
    };
    return make_operation<Result<ServerInfo>>(connections_, begin, client_gone());
}

}  // namespace quorate::client
