#include "host/group/command.hpp"
#include "host/group/host_shard.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"
#include "host/group/plugin_exchange.hpp"
#include "host/group/residents.hpp"

#include <algorithm>
#include <utility>

// What this host does for other hosts, and for itself where an operation asks all alike. Everything
// that comes in is checked here: the codec has only checked that it is well formed.
namespace quorate::group {
namespace {

using Respond = Reply<ResponseBody>;

// A reply of one kind that answers with that kind of body.
template <class T>
Reply<T> as(Respond respond) {
    return [respond = std::move(respond)](Result<T> result) {
        if (!result) return respond(result.error());
        respond(ResponseBody(std::move(*result)));
    };
}

Error no_member(const HostName& host, GroupId group) {
    return fail(Errc::no_such_group, "host " + quoted(host) + " has no member of group " +
                                         std::to_string(group.value()));
}

std::vector<MemberStatus> one(MemberStatus status) {
    std::vector<MemberStatus> statuses;
    statuses.push_back(std::move(status));
    return statuses;
}

// Another member on the same host would answer for this one, and stand in its way.
Result<void> check_newcomer(const Group& group, const raft::Member& newcomer) {
    if (!newcomer.id || newcomer.host.empty()) {
        return fail(Errc::request_invalid, "a member without id or host");
    }
    for (const PeerProgress& peer : group.status().members) {
        if (peer.host == newcomer.host && peer.id != newcomer.id) {
            return fail(Errc::already_member,
                        "host " + quoted(newcomer.host) + " has a member of the group already");
        }
    }
    return {};
}

Result<void> check_registration(const Registration& registration, const HostName& self) {
    TRY_VOID(check_name(registration.name));
    if (!registration.group || !registration.member || !registration.epoch) {
        return fail(Errc::request_invalid, "a registration without group, member or epoch");
    }
    for (const raft::Member& member : registration.initial.members) {
        if ((member.id == registration.member) != (member.host == self)) {
            return fail(Errc::request_invalid, "group " + quoted(registration.name) + ": member " +
                                                   std::to_string(member.id.value()) +
                                                   " lives on host " + quoted(member.host));
        }
    }
    return {};
}

// One shard's answers to requests, one overload per kind.
struct Serve {
    HostShard& shard;
    HostName from;
    Time deadline;
    Respond respond;

    // Runs `use` with the group's member, on its shard; or answers that there is none.
    void with_member(GroupId group, std::function<void(Group&, Respond)> use) {
        with_members(group, [group, use = std::move(use)](Shard& members, const Respond& back) {
            use(*members.find(group), back);
        });
    }
    // The same with the members that the group's is one of.
    void with_members(GroupId group, std::function<void(Shard&, Respond)> use) {
        std::size_t owner = shard.host().owner_of(group);
        shard.at(owner, [group, use = std::move(use),
                         back = shard.back_from<Result<ResponseBody>>(owner, std::move(respond))](
                            HostShard& there) {
            if (there.members().find(group) == nullptr) {
                return back(no_member(there.name(), group));
            }
            use(there.members(), back);
        });
    }
    // Runs an operation of shard 0 and answers with what it gives.
    template <class T>
    void at_home(std::function<Operation<Result<T>>(HostShard&)> operation) {
        auto reply = as<T>(shard.back_from<Result<ResponseBody>>(0, std::move(respond)));
        shard.at(0, [operation = std::move(operation), reply = std::move(reply)](HostShard& home) {
            home.operations().run<Result<T>>(operation(home), reply);
        });
    }

    void operator()(SubmitRequest request) {
        GroupId group = request.group;
        // A submit always answers with an outcome.
        Respond outcome = [respond = std::move(respond)](Result<ResponseBody> result) {
            if (result) return respond(std::move(result));
            respond(ResponseBody(Outcome(NotApplied{result.error(), {}})));
        };
        respond = std::move(outcome);
        if (!parse_command(request.payload.view())) {
            return respond(fail(Errc::request_invalid, "a command without its header"));
        }
        with_member(group, [deadline = deadline, payload = std::move(request.payload)](
                               Group& member, const Respond& back) {
            member.submit(payload, deadline,
                          [back](Outcome result) { back(ResponseBody(std::move(result))); });
        });
    }

    void operator()(QueryRequest request) {
        GroupId group = request.group;
        with_member(group, [deadline = deadline, request = std::move(request)](
                               Group& member, const Respond& back) {
            member.query(request.level, request.at_least, request.query, deadline,
                         as<QueryAnswer>(back));
        });
    }

    void operator()(LocateRequest request) {
        if (auto checked = check_name(request.name); !checked) return respond(checked.error());
        Registry::Entry entry = shard.registry().find(request.name);
        if (!entry) {
            return respond(fail(Errc::no_such_group, "host " + quoted(shard.name()) +
                                                         " has no member of a group " +
                                                         quoted(request.name)));
        }
        with_member(entry->group, [](Group& member, const Respond& back) {
            back(ResponseBody(location_of(member)));
        });
    }

    void operator()(StartMemberRequest request) {
        auto decoded = decode_registration(request.registration.view());
        if (!decoded) return respond(decoded.error());
        if (auto checked = check_registration(*decoded, shard.name()); !checked) {
            return respond(within("host " + quoted(shard.name()), checked.error()));
        }
        Residents::Start start{std::move(*decoded), request.campaign, from, deadline};
        at_home<Done>([start](HostShard& home) { return home.host().residents->start(start); });
    }

    void operator()(DeleteMemberRequest request) {
        at_home<Done>(
            [request](HostShard& home) { return home.host().residents->remove(request); });
    }

    void operator()(StatusRequest request) {
        if (!request.group) return all_statuses();
        with_member(request.group, [hash = request.state_hash](Group& member, const Respond& back) {
            if (!hash) return back(ResponseBody(one(member.status())));
            member.status_with_state_hash([back](Result<MemberStatus> status) {
                if (!status) return back(status.error());
                back(ResponseBody(one(std::move(*status))));
            });
        });
    }

    void all_statuses() {
        using Statuses = std::vector<MemberStatus>;
        auto all = std::make_shared<Statuses>();
        auto left = std::make_shared<std::size_t>(shard.host().shards.size());
        std::function<void(Statuses)> add = [all, left,
                                             respond = std::move(respond)](Statuses some) {
            std::move(some.begin(), some.end(), std::back_inserter(*all));
            if (--*left == 0) respond(ResponseBody(std::move(*all)));
        };
        for (std::size_t i = 0; i < shard.host().shards.size(); ++i) {
            shard.at(i, [back = shard.back_from<Statuses>(i, add)](HostShard& there) {
                Statuses some;
                for (Group* member : there.members().all()) some.push_back(member->status());
                back(std::move(some));
            });
        }
    }

    void operator()(ChangeMemberRequest request) {
        with_member(request.group, [deadline = deadline, request](Group& member,
                                                                  const Respond& back) {
            if (request.remove) {
                return member.change_membership(raft::RemoveMember{request.member.id}, deadline,
                                                as<EntryId>(back));
            }
            if (auto checked = check_newcomer(member, request.member); !checked) {
                return back(checked.error());
            }
            member.change_membership(raft::AddMember{request.member}, deadline, as<EntryId>(back));
        });
    }

    void operator()(TransferRequest request) {
        with_member(request.group,
                    [deadline = deadline, request](Group& member, const Respond& back) {
                        member.transfer_leadership(request.to, deadline, as<Done>(back));
                    });
    }

    void operator()(DeleteGroupRequest request) {
        with_member(request.group, [deadline = deadline](Group& member, const Respond& back) {
            member.end_of_life(deadline, as<Done>(back));
        });
    }

    void operator()(StopMemberRequest request) {
        with_members(request.group, [group = request.group](Shard& members, const Respond& back) {
            members.halt(group, [back] { back(ResponseBody(Done{})); });
        });
    }

    void operator()(RestartMemberRequest request) {
        with_members(request.group, [group = request.group](Shard& members, const Respond& back) {
            members.restart(group, as<Done>(back));
        });
    }

    void operator()(CampaignRequest request) {
        with_member(request.group, [](Group& member, const Respond& back) {
            auto begun = member.campaign();
            if (!begun) return back(begun.error());
            back(ResponseBody(Done{}));
        });
    }

    void operator()(TakeSnapshotRequest request) {
        with_member(request.group, [host = shard.name()](Group& member, const Respond& back) {
            member.take_snapshot([back, host](Result<SnapshotSummary> taken) {
                if (!taken) return back(taken.error());
                taken->host = host;
                back(ResponseBody(std::vector<SnapshotSummary>(1, std::move(*taken))));
            });
        });
    }

    void operator()(ListSnapshotsRequest request) {
        with_member(request.group, [host = shard.name()](Group& member, const Respond& back) {
            member.list_snapshots([back, host](Result<std::vector<SnapshotSummary>> listed) {
                if (!listed) return back(listed.error());
                for (SnapshotSummary& snapshot : *listed) snapshot.host = host;
                back(ResponseBody(std::move(*listed)));
            });
        });
    }

    void operator()(PluginOfferRequest request) {
        if (request.size > shard.options().max_plugin_bytes) {
            return respond(fail(Errc::message_too_large,
                                "host " + quoted(shard.name()) + " takes plugins of up to " +
                                    std::to_string(shard.options().max_plugin_bytes) +
                                    " bytes, not " + std::to_string(request.size)));
        }
        auto reply = shard.back_from<Result<ResponseBody>>(0, std::move(respond));
        shard.at(0,
                 [reply, build = request.build, from = from, deadline = deadline](HostShard& home) {
                     home.operations().run<Result<PluginSummary>>(
                         home.host().plugins->take_offer(build, from, deadline),
                         [reply](Result<PluginSummary> plugin) {
                             if (!plugin) return reply(plugin.error());
                             reply(ResponseBody(std::vector<PluginSummary>(1, std::move(*plugin))));
                         });
                 });
    }

    void operator()(PluginFetchRequest request) {
        at_home<Piece>([request](HostShard& home) { return home.host().plugins->piece(request); });
    }

    void operator()(PluginListRequest) {
        auto reply = shard.back_from<Result<ResponseBody>>(0, std::move(respond));
        shard.at(0, [reply](HostShard& home) { reply(ResponseBody(home.host().plugins->list())); });
    }

    void operator()(ReserveNameRequest request) {
        if (auto checked = check_name(request.name); !checked) return respond(checked.error());
        auto reply = as<Done>(shard.back_from<Result<ResponseBody>>(0, std::move(respond)));
        shard.at(0, [reply, request = std::move(request)](HostShard& home) {
            reply(home.host().residents->reserve(request));
        });
    }

    void operator()(PingRequest) { respond(ResponseBody(Done{})); }
};

}  // namespace

void HostShard::serve(const HostName& from, RequestBody body, Time deadline,
                      Reply<ResponseBody> reply) {
    if (!serving()) {
        if (!std::holds_alternative<SubmitRequest>(body)) return reply(not_serving());
        return reply(ResponseBody(Outcome(NotApplied{not_serving(), {}})));
    }
    std::visit(Serve{*this, from, deadline, std::move(reply)}, std::move(body));
}

}  // namespace quorate::group
