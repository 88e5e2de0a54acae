#include "tests/support/cluster.hpp"

#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <fstream>
#include <iostream>

namespace quorate::testing {
namespace {

constexpr Duration start_timeout = 60s;  // far more than it takes, on a machine that is very busy
constexpr Duration call_timeout = 20s;

std::string joined(const std::vector<std::string>& words, const std::string& between) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
    return text;
}

std::string role_of(const client::MemberAnswer& answer) {
    if (answer.status) {
        return answer.host + " is " + answer.status->role + ", " + answer.status->state;
    }
    return answer.host + ": " + (answer.error ? to_string(*answer.error) : "no answer");
}

}  // namespace

std::string quorated_program() {
    return QUORATE_BIN "/quorated";
}
std::string quorate_program() {
    return QUORATE_BIN "/quorate";
}
std::string kv_plugin() {
    return KV_PLUGIN;
}
std::string counter_plugin() {
    return COUNTER_PLUGIN;
}
std::string ledger_plugin() {
    return LEDGER_PLUGIN;
}

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)), exceptions_before_(std::uncaught_exceptions()) {
    hosts_.reserve(9);
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < options_.hosts; ++i) all.push_back(add_host());
    client_ = client::Client::connect({.endpoints = endpoints(), .software = "tests"}).value();
    start(all);
    wait_until_met();
}

Cluster::~Cluster() {
    bool failed = ::testing::Test::HasFailure() || std::uncaught_exceptions() > exceptions_before_;
    if (failed) print_logs();
}

std::size_t Cluster::at(const std::string& name) const {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (hosts_[i].name == name) return i;
    }
    throw std::runtime_error("the cluster has no host '" + name + "'");
}

std::size_t Cluster::add_host() {
    std::string name = "h" + std::to_string(hosts_.size() + 1);
    std::string base = scratch_.path() + "/" + name;
    hosts_.push_back({name, base + ".toml", base, base + ".log", {}, {}});
    // Those before it are written again: where they start anew, they know it.
    for (const ClusterHost& host : hosts_) write_config(host);
    return hosts_.size() - 1;
}

void Cluster::write_config(const ClusterHost& host) const {
    std::vector<std::string> seeds;
    for (const ClusterHost& other : hosts_) seeds.push_back('"' + other.peer_port.address() + '"');
    std::ofstream(host.config)
        << "[host]\nname = \"" << host.name << "\"\ndata_dir = \"" << host.data
        << "\"\ndev = true\nshards = 1\n[cluster]\nname = \"test\"\nseeds = ["
        << joined(seeds, ", ") << "]\n[listen]\nclient = \"" << host.client_port.address()
        << "\"\npeer = \"" << host.peer_port.address()
        << "\"\n[raft]\nelection_timeout = \"300ms\"\nheartbeat_interval = \"30ms\"\n"
        << "[wal]\nfile_size = \"1MiB\"\nwaiting_files = 1\n[limits]\ndisk_low_bytes = \"1MiB\"\n"
        << "disk_low_percent = 0\n";
}

void Cluster::launch(std::size_t at, const std::vector<std::string>& arguments) {
    ClusterHost& h = host(at);
    h.process.reset();
    h.notify.reset();  // before another takes its path
    h.notify = std::make_unique<NotifySocket>(h.data + ".notify");
    std::vector<std::string> words{quorated_program(), "--config", h.config};
    for (const std::string& setting : options_.settings) {
        words.insert(words.end(), {"--set", setting});
    }
    words.insert(words.end(), arguments.begin(), arguments.end());
    h.process = std::make_unique<Process>(Command{
        .words = words,
        .environment = {"NOTIFY_SOCKET=" + h.notify->path()},
        .out = h.log,
        .err = h.log,
    });
}

void Cluster::start(std::size_t at) {
    start(std::vector<std::size_t>{at});
}

void Cluster::start(const std::vector<std::size_t>& hosts) {
    for (std::size_t at : hosts) launch(at);
    for (std::size_t at : hosts) {
        ClusterHost& h = host(at);
        if (h.notify->wait_for("READY=1", *h.process, start_timeout)) continue;
        throw std::runtime_error(h.name + " did not get ready:\n" +
                                 last_lines(read_text(h.log), 10));
    }
}

// Whom a host has not met it can give nothing to: plugins and members go to those it reaches.
void Cluster::wait_until_met() {
    for (const ClusterHost& host : hosts_) {
        auto client = client::Client::connect({.endpoints = {host.client_port.address()}}).value();
        wait_until(call_timeout, [&]() -> std::string {
            auto known = client->admin().list_hosts(5s).get();
            if (!known.has_value()) return to_string(known.error());
            auto met = std::ranges::count(*known, true, &client::HostSummary::reachable);
            if (static_cast<std::size_t>(met) == hosts_.size()) return {};
            return host.name + " reaches " + std::to_string(met) + " hosts";
        });
    }
}

void Cluster::kill(const std::vector<std::size_t>& hosts) {
    for (std::size_t at : hosts) host(at).process->signal(SIGKILL);
    for (std::size_t at : hosts) {
        if (host(at).process->wait(call_timeout) != -SIGKILL) {
            throw std::runtime_error(host(at).name + " had ended by itself:\n" +
                                     last_lines(read_text(host(at).log), 10));
        }
    }
}

int Cluster::stop(std::size_t at) {
    host(at).process->signal(SIGTERM);
    auto end = host(at).process->wait(start_timeout);
    if (!end) throw std::runtime_error(host(at).name + " does not stop");
    return *end;
}

void Cluster::pause(std::size_t at) {
    host(at).process->signal(SIGSTOP);
}
void Cluster::resume(std::size_t at) {
    host(at).process->signal(SIGCONT);
}
bool Cluster::running(std::size_t at) {
    return host(at).process && host(at).process->running();
}

std::vector<std::string> Cluster::endpoints() const {
    std::vector<std::string> list;
    for (const ClusterHost& host : hosts_) list.push_back(host.client_port.address());
    return list;
}

void Cluster::install(const std::string& plugin_file) {
    auto plugins =
        admin().install_plugin(Bytes::take(read_text(plugin_file)), call_timeout).get().value();
    if (plugins.size() != hosts_.size()) {
        throw std::runtime_error(plugin_file + " was not installed on every host");
    }
}

void Cluster::create_group(const std::string& name, const std::string& plugin) {
    std::vector<std::string> names;
    for (const ClusterHost& host : hosts_) names.push_back(host.name);
    admin().create_group(name, plugin, "", names, call_timeout).get().value();
}

std::size_t Cluster::leader(const std::string& group) {
    std::string found;
    wait_until(call_timeout, [&]() -> std::string {
        auto answers = admin().group_members(group, false, 2s).get();
        if (!answers.has_value()) return to_string(answers.error());
        Term newest;
        std::string seen = "no leader";
        for (const client::MemberAnswer& answer : *answers) {
            seen += "; " + role_of(answer);
            if (!answer.status || answer.status->role != "leader") continue;
            if (answer.status->term < newest) continue;
            newest = answer.status->term;
            found = answer.host;
        }
        return found.empty() ? seen : "";
    });
    return at(found);
}

void Cluster::transfer(const std::string& group, std::size_t to) {
    if (leader(group) == to) return;
    admin().transfer_leadership(group, host(to).name, call_timeout).get().value();
}

void Cluster::wait_equal(const std::string& group, Duration timeout) {
    wait_equal(group, hosts_.size(), timeout);
}

void Cluster::wait_equal(const std::string& group, std::size_t members, Duration timeout) {
    wait_until(timeout, [&] {
        auto answers = admin().group_members(group, true, 5s).get();
        return answers.has_value() ? difference(*answers, members) : to_string(answers.error());
    });
}

void Cluster::print_logs() const {
    for (const ClusterHost& host : hosts_) {
        std::cerr << "---- the end of " << host.log << "\n"
                  << last_lines(read_text(host.log), 40) << "\n";
    }
}

std::string difference(const std::vector<client::MemberAnswer>& answers, std::size_t members) {
    if (answers.size() != members) return std::to_string(answers.size()) + " members";
    const client::MemberStatus* first = nullptr;
    for (const client::MemberAnswer& answer : answers) {
        if (!answer.status) return role_of(answer);
        const client::MemberStatus& s = *answer.status;
        if (s.state != "running") return answer.host + " is " + s.state + ": " + s.trouble;
        if (s.kind != client::VoteKind::voter) return answer.host + " is no voter yet";
        if (first == nullptr) first = &s;
        if (s.applied != first->applied) {
            return answer.host + " is at entry " + std::to_string(s.applied.value()) + ", " +
                   first->host + " at " + std::to_string(first->applied.value());
        }
        if (s.outcome_hash != first->outcome_hash) return answer.host + " has another outcome hash";
        if (s.state_hash.empty() || s.state_hash != first->state_hash) {
            return answer.host + " has another state hash: " + s.state_hash + ", not " +
                   first->state_hash;
        }
    }
    return {};
}

}  // namespace quorate::testing
