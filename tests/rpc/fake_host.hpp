#pragma once

#include "host/group/command.hpp"
#include "host/group/service.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorate::testing {

// A group that answers when the test says so: by default never, with `on_submit` or `on_query` as they do.
class FakePort final : public group::GroupPort {
 public:
    struct Submitted {
        std::string command;
        Time deadline;
        std::function<void(group::Outcome)> done;
    };
    struct Asked {
        group::ReadLevel level;
        Index at_least;
        std::string query;
        Time deadline;
        group::Reply<group::QueryAnswer> done;
    };

    GroupId id() const override { return GroupId(42); }
    const std::string& name() const override { return name_; }
    const machine::MachineRef& machine() const override { return machine_; }
    group::HostName leader() const override { return leading; }

    void submit(Bytes payload, Time deadline, std::function<void(group::Outcome)> done) override {
        auto parsed = group::parse_command(payload.view());
        submitted.push_back({parsed ? std::string(as_text(parsed->command)) : "no command",
                             deadline, std::move(done)});
        if (on_submit) on_submit(submitted.back());
    }
    void query(group::ReadLevel level, Index at_least, Bytes query, Time deadline,
               group::Reply<group::QueryAnswer> done) override {
        asked.push_back({level, at_least, std::string(query.text()), deadline, std::move(done)});
        if (on_query) on_query(asked.back());
    }
    Result<Bytes> encode_command(std::span<const std::string> words) override {
        if (words.empty() || words[0] != "put") {
            return fail(Errc::command_text_invalid, "there is no such command");
        }
        return Bytes::copy_of("P:" + words[1]);
    }
    Result<Bytes> encode_query(std::span<const std::string> words) override {
        if (words.empty() || words[0] != "get") {
            return fail(Errc::command_text_invalid, "there is no such query");
        }
        return Bytes::copy_of("G:" + words[1]);
    }
    std::string render_reply(std::span<const std::string> words, ByteView reply) override {
        return words[0] + " -> " + std::string(as_text(reply));
    }

    std::string leading;
    std::vector<Submitted> submitted;
    std::vector<Asked> asked;
    std::function<void(Submitted&)> on_submit;
    std::function<void(Asked&)> on_query;

 private:
    std::string name_ = "demo";
    machine::MachineRef machine_{"quorate.kv", "abc", "kv", 3};
};

// A host with one group, `demo`. Administrative calls fail as no_such_host, but for those that a test needs.
class FakeHost final : public group::HostService {
 public:
    using Opened = group::Reply<std::shared_ptr<group::GroupPort>>;

    explicit FakeHost(std::string name = "fake") : name_(std::move(name)) {}
    const group::HostName& name() const override { return name_; }
    const std::string& cluster() const override { return cluster_name; }
    std::vector<group::KnownHost> known_hosts() const override { return known; }
    bool is_short_of_room() const override { return short_of_room; }
    void open_group(const std::string& wanted, Time, Opened done) override {
        ++opened;
        if (on_open) return on_open(done);
        if (wanted != port->name()) return done(fail(Errc::no_such_group, "no group " + wanted));
        done(std::shared_ptr<group::GroupPort>(port));
    }
    void create_group(group::CreateGroup request, Time deadline,
                      group::Reply<group::GroupLocation> done) override {
        created = request;
        last_deadline = deadline;
        done(group::GroupLocation{GroupId(7), request.name, request.hosts.at(0), request.hosts});
    }
    void delete_group(const std::string&, Time, group::Reply<group::Done> done) override {
        ++deleted;
        if (on_delete) return on_delete(done);
        no(done);
    }
    void list_members(Time, group::Reply<std::vector<group::MemberAnswer>> done) override {
        no(done);
    }
    void group_members(const std::string&, bool, Time,
                       group::Reply<std::vector<group::MemberAnswer>> done) override {
        group::MemberStatus status;
        status.leader = "away";
        status.trouble = "none";
        done(std::vector<group::MemberAnswer>{
            {"fake", status, {}}, {"away", {}, fail(Errc::unreachable, "away is away")}});
    }
    void add_member(const std::string&, const group::HostName&, raft::VoteKind, Time,
                    group::Reply<EntryId> done) override {
        done(EntryId{Term(2), Index(9)});
    }
    void remove_member(const std::string&, const group::HostName&, Time,
                       group::Reply<EntryId> done) override {
        no(done);
    }
    void transfer_leadership(const std::string&, const group::HostName&, Time,
                             group::Reply<group::Done> done) override {
        done(group::Done{});
    }
    void stop_member(const std::string& group, const group::HostName& host, Time,
                     group::Reply<group::Done> done) override {
        told("stop", group, host, done);
    }
    void start_member(const std::string& group, const group::HostName& host, Time,
                      group::Reply<group::Done> done) override {
        told("start", group, host, done);
    }
    void trigger_election(const std::string& group, const group::HostName& host, Time,
                          group::Reply<group::Done> done) override {
        told("elect", group, host, done);
    }
    void take_snapshot(const std::string&, const group::HostName&, Time,
                       group::Reply<std::vector<group::SnapshotSummary>> done) override {
        no(done);
    }
    void list_snapshots(const std::string&, Time,
                        group::Reply<std::vector<group::SnapshotSummary>> done) override {
        done(std::vector<group::SnapshotSummary>{{"fake", {Term(1), Index(5)}, 10, 20, "kv", 3}});
    }
    void install_plugin(Bytes image, Time,
                        group::Reply<std::vector<group::PluginSummary>> done) override {
        installed = std::string(image.text());
        no(done);
    }
    void list_plugins(Time, group::Reply<std::vector<group::PluginSummary>> done) override {
        no(done);
    }
    void list_hosts(Time, group::Reply<std::vector<group::HostSummary>> done) override { no(done); }
    void ping_host(const group::HostName&, Time, group::Reply<Duration> done) override {
        done(1500us);
    }

    bool short_of_room = false;
    std::string cluster_name = "test";
    std::vector<group::KnownHost> known{{"fake", "p:1", "c:1", true},
                                        {"away", "p:2", "c:2", false}};
    std::shared_ptr<FakePort> port = std::make_shared<FakePort>();
    std::function<void(const Opened&)> on_open;  // instead of giving `port`
    int opened = 0;
    std::optional<group::CreateGroup> created;
    std::function<void(const group::Reply<group::Done>&)> on_delete;
    int deleted = 0;
    std::vector<std::string> told_members;  // "stop g h2"
    Time last_deadline;
    std::string installed;

 private:
    template <class Value>
    static void no(const group::Reply<Value>& done) {
        done(fail(Errc::no_such_host, "the fake does not do that"));
    }

    void told(const std::string& what, const std::string& group, const std::string& host,
              const group::Reply<group::Done>& done) {
        told_members.push_back(what + " " + group + " " + host);
        done(group::Done{});
    }

    std::string name_;
};

}  // namespace quorate::testing
