// Admin of client.capnp: each call is one of the HostService's, decoded, forwarded, encoded.

#include "rpc/gateway_client.hpp"

#include <utility>

namespace quorate::rpc {
namespace {

void put(const group::GroupLocation& value, schema::LocationResult::Builder out) {
    encode(value, out.initLocation());
}
void put(const group::Done&, schema::DoneResult::Builder out) {
    out.setDone();
}
void put(const std::vector<group::MemberAnswer>& value, schema::MembersResult::Builder out) {
    encode_all(value, out.initMembers(static_cast<unsigned>(value.size())));
}
void put(const EntryId& value, schema::EntryResult::Builder out) {
    encode(value, out.initEntry());
}
void put(const std::vector<group::SnapshotSummary>& value, schema::SnapshotsResult::Builder out) {
    encode_all(value, out.initSnapshots(static_cast<unsigned>(value.size())));
}
void put(const std::vector<group::PluginSummary>& value, schema::PluginsResult::Builder out) {
    encode_all(value, out.initPlugins(static_cast<unsigned>(value.size())));
}
void put(const std::vector<group::HostSummary>& value, schema::HostsResult::Builder out) {
    encode_all(value, out.initHosts(static_cast<unsigned>(value.size())));
}
void put(const Duration& value, schema::PingResult::Builder out) {
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
    out.setRoundTripUs(static_cast<std::uint64_t>(us));
}

// Makes the call, which carries so many bytes, and answers with its value or failure.
template <class Value, class Context, class Call>
kj::Promise<void> answer(const GatewayClientPtr& client, Context context, Call call,
                         std::uint64_t carried = 0) {
    std::uint64_t bytes = carried + call_bytes;
    if (!client->take(bytes)) {
        encode(overloaded(*client), context.getResults().initFailed());
        return kj::READY_NOW;
    }
    context.allowCancellation();
    auto [promise, done] = await<Result<Value>>();
    call(giving_back(client, bytes, std::move(done)));
    return promise.then([context](Result<Value>&& result) mutable {
        if (result.has_value()) {
            put(*result, context.getResults());
        } else {
            encode(result.error(), context.getResults().initFailed());
        }
    });
}

class AdminServer final : public schema::Admin::Server {
 public:
    explicit AdminServer(GatewayClientPtr client) : client_(client), held_(std::move(client)) {}

    kj::Promise<void> createGroup(CreateGroupContext context) override {
        auto in = context.getParams();
        group::CreateGroup wanted{.name = Source::text(in.getName()),
                                  .plugin = Source::text(in.getPlugin()),
                                  .machine = Source::text(in.getMachine()),
                                  .hosts = decode(in.getHosts())};
        return answer<group::GroupLocation>(client_, context, [&](auto done) {
            service().create_group(std::move(wanted), deadline(in), std::move(done));
        });
    }

    kj::Promise<void> deleteGroup(DeleteGroupContext context) override {
        auto in = context.getParams();
        return answer<group::Done>(client_, context, [&](auto done) {
            service().delete_group(Source::text(in.getName()), deadline(in), std::move(done));
        });
    }

    kj::Promise<void> listMembers(ListMembersContext context) override {
        auto in = context.getParams();
        return answer<std::vector<group::MemberAnswer>>(client_, context, [&](auto done) {
            service().list_members(deadline(in), std::move(done));
        });
    }

    kj::Promise<void> groupMembers(GroupMembersContext context) override {
        auto in = context.getParams();
        return answer<std::vector<group::MemberAnswer>>(client_, context, [&](auto done) {
            service().group_members(Source::text(in.getName()), in.getStateHash(), deadline(in),
                                    std::move(done));
        });
    }

    kj::Promise<void> addMember(AddMemberContext context) override {
        auto in = context.getParams();
        auto kind = checked([&] { return from_wire(in.getKind()); });
        if (!kind.has_value()) {
            encode(kind.error(), context.getResults().initFailed());
            return kj::READY_NOW;
        }
        return answer<EntryId>(client_, context, [&](auto done) {
            service().add_member(Source::text(in.getGroup()), Source::text(in.getHost()), *kind,
                                 deadline(in), std::move(done));
        });
    }

    kj::Promise<void> removeMember(RemoveMemberContext context) override {
        auto in = context.getParams();
        return answer<EntryId>(client_, context, [&](auto done) {
            service().remove_member(Source::text(in.getGroup()), Source::text(in.getHost()),
                                    deadline(in), std::move(done));
        });
    }

    kj::Promise<void> transferLeadership(TransferLeadershipContext context) override {
        auto in = context.getParams();
        return answer<group::Done>(client_, context, [&](auto done) {
            service().transfer_leadership(Source::text(in.getGroup()), Source::text(in.getTo()),
                                          deadline(in), std::move(done));
        });
    }

    kj::Promise<void> stopMember(StopMemberContext context) override {
        auto in = context.getParams();
        return answer<group::Done>(client_, context, [&](auto done) {
            service().stop_member(Source::text(in.getGroup()), Source::text(in.getHost()),
                                  deadline(in), std::move(done));
        });
    }

    kj::Promise<void> startMember(StartMemberContext context) override {
        auto in = context.getParams();
        return answer<group::Done>(client_, context, [&](auto done) {
            service().start_member(Source::text(in.getGroup()), Source::text(in.getHost()),
                                   deadline(in), std::move(done));
        });
    }

    kj::Promise<void> triggerElection(TriggerElectionContext context) override {
        auto in = context.getParams();
        return answer<group::Done>(client_, context, [&](auto done) {
            service().trigger_election(Source::text(in.getGroup()), Source::text(in.getHost()),
                                       deadline(in), std::move(done));
        });
    }

    kj::Promise<void> takeSnapshot(TakeSnapshotContext context) override {
        auto in = context.getParams();
        return answer<std::vector<group::SnapshotSummary>>(client_, context, [&](auto done) {
            service().take_snapshot(Source::text(in.getGroup()), Source::text(in.getHost()),
                                    deadline(in), std::move(done));
        });
    }

    kj::Promise<void> listSnapshots(ListSnapshotsContext context) override {
        auto in = context.getParams();
        return answer<std::vector<group::SnapshotSummary>>(client_, context, [&](auto done) {
            service().list_snapshots(Source::text(in.getGroup()), deadline(in), std::move(done));
        });
    }

    kj::Promise<void> installPlugin(InstallPluginContext context) override {
        auto in = context.getParams();
        ByteView image = view(in.getImage());
        return answer<std::vector<group::PluginSummary>>(
            client_, context,
            [&](auto done) {
                service().install_plugin(Bytes::copy_of(image), deadline(in), std::move(done));
            },
            image.size());
    }

    kj::Promise<void> listPlugins(ListPluginsContext context) override {
        auto in = context.getParams();
        return answer<std::vector<group::PluginSummary>>(client_, context, [&](auto done) {
            service().list_plugins(deadline(in), std::move(done));
        });
    }

    kj::Promise<void> listHosts(ListHostsContext context) override {
        auto in = context.getParams();
        return answer<std::vector<group::HostSummary>>(client_, context, [&](auto done) {
            service().list_hosts(deadline(in), std::move(done));
        });
    }

    kj::Promise<void> pingHost(PingHostContext context) override {
        auto in = context.getParams();
        return answer<Duration>(client_, context, [&](auto done) {
            service().ping_host(Source::text(in.getHost()), deadline(in), std::move(done));
        });
    }

    kj::Promise<void> partition(PartitionContext context) override {
        const auto& offered = client_->options.partition;
        Result<void> done = offered
                                ? offered(decode(context.getParams().getHosts()))
                                : Result<void>(fail(Errc::unsupported,
                                                    "this host does not run in development mode"));
        if (done.has_value()) {
            context.getResults().setDone();
        } else {
            encode(done.error(), context.getResults().initFailed());
        }
        return kj::READY_NOW;
    }

 private:
    group::HostService& service() { return client_->service; }
    template <class Params>
    Time deadline(Params params) const {
        return client_->deadline(params.getTimeoutMs());
    }

    GatewayClientPtr client_;
    Held held_;
};

}  // namespace

schema::Admin::Client make_admin(GatewayClientPtr client) {
    return kj::heap<AdminServer>(std::move(client));
}

}  // namespace quorate::rpc
