#include "rpc/cli/bench_target.hpp"

#include "rpc/cli/dev_steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <unistd.h>

namespace quorate::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t hosts_max = 9;

// So many calls are under way at a time: asked in a row, each would wait for the disk alone.
constexpr std::size_t calls_at_once = 32;
// For groups to be removed: when none was for so long, the rest stays.
constexpr Duration patience = 20s;

// begin(0) to begin(count - 1), each an operation, until ended(result) says of one that there are to be no
// more. Waits for all that it began, and gives how many.
template <class Begin, class Ended>
std::size_t some_at_once(std::size_t count, Begin begin, Ended ended) {
    std::deque<decltype(begin(std::size_t{}).future())> under_way;
    std::size_t begun = 0;
    while (begun < count || !under_way.empty()) {
        if (begun < count && under_way.size() < calls_at_once) {
            under_way.push_back(begin(begun++).future());
            continue;
        }
        if (!ended(under_way.front().get())) count = begun;
        under_way.pop_front();
    }
    return begun;
}

// Of the creation of a group: there may be one.
bool is_uncertain(Errc code) {
    return code == Errc::deadline_exceeded || code == Errc::leadership_lost ||
           code == Errc::protocol || code == Errc::internal;
}

std::vector<pid_t> processes_of(DevCluster& cluster) {
    std::vector<pid_t> all;
    for (const DevHost& host : cluster.hosts()) all.push_back(host.pid);
    return all;
}

Result<std::string> place_in(const std::string& directory) {
    std::error_code error;
    if (!fs::is_directory(directory, error)) {
        return fail(Errc::request_invalid,
                    fmt::format("--dir {}: there is no such directory", directory),
                    "name one on the disk that is to be measured");
    }
    if (::access(directory.c_str(), W_OK | X_OK) != 0) {
        return fail(Errc::request_invalid,
                    fmt::format("--dir {}: nothing can be written there", directory));
    }
    return (fs::absolute(directory) / fmt::format("quorate-bench-{}", ::getpid())).string();
}

}  // namespace

Result<std::unique_ptr<BenchTarget>> BenchTarget::reach(Invocation& call) {
    std::unique_ptr<BenchTarget> target(new BenchTarget());
    bool starts_hosts = call.given("hosts");
    if (starts_hosts) {
        TRY(std::uint64_t hosts, call.number("hosts", 1, hosts_max));
        TRY_VOID(target->start_hosts(call.value("dir"), hosts));
        target->connection_ = {.endpoints = target->own_->endpoints()};
    } else {
        target->connection_ = call.connection();
        auto dev = DevCluster::load();
        if (dev.has_value() && dev->endpoints() == target->connection_.endpoints) {
            target->processes_ = processes_of(*dev);
        }
    }
    target->signals_.emplace([target = target.get()] { target->clean_up(); });
    target->connection_.software = "quorate-bench";
    TRY(target->client_, client::Client::connect(target->connection_));
    TRY_VOID(target->choose_members(call));
    return target;
}

BenchTarget::~BenchTarget() {
    signals_.reset();
    clean_up();
}

Result<void> BenchTarget::start_hosts(const std::string& directory, std::uint64_t hosts) {
    TRY(std::string quorated, find_quorated());
    TRY(std::string place, place_in(directory));
    TRY(own_, DevCluster::create(std::move(quorated), std::move(place)));
    for (std::uint64_t i = 0; i < hosts; ++i) TRY_VOID(own_->add_host());
    TRY_VOID(start_all(*own_));
    TRY_VOID(wait_until_all_met(*own_));
    processes_ = processes_of(*own_);
    return {};
}

Result<void> BenchTarget::choose_members(Invocation& call) {
    TRY(auto hosts, client_->admin().list_hosts(call.timeout()).get());
    warn_of_absent(call, hosts, "it carries no member of the run's groups");
    for (const client::HostSummary& host : hosts) {
        if (host.reachable) members_.push_back(host.name);
    }
    if (!call.given("members")) return {};
    TRY(std::uint64_t members, call.number("members", 1, hosts_max));
    if (members > members_.size()) {
        return fail(Errc::request_invalid,
                    fmt::format("--members {}: {} hosts are there", members, members_.size()));
    }
    members_.resize(members);
    return {};
}

void BenchTarget::clean_up() {
    ending_ = true;
    if (own_) {
        (void)own_->stop_all(10s);
        (void)own_->remove_files();
    } else if (!kept_) {
        making_.wait(true);
        remove_groups();
    }
}

Result<void> BenchTarget::make_groups(const std::vector<std::string>& names) {
    making_ = true;
    Result<void> made = ending_ ? fail(Errc::cancelled, "a signal ends the run") : make(names);
    making_ = false;
    making_.notify_all();
    return made;
}

Result<void> BenchTarget::make(const std::vector<std::string>& names) {
    TRY(std::string file, find_plugin("bench"));
    TRY(Bytes image, read_plugin(file));
    TRY_VOID(client_->admin().install_plugin(image, 30s).get());
    Result<void> made;
    auto create = [&](std::size_t i) {
        return client_->admin().create_group(names[i], "quorate.bench", "", members_, 60s);
    };
    auto created = [&, next = names.begin()](const Result<client::GroupLocation>& group) mutable {
        const std::string& name = *next++;
        if (group || is_uncertain(group.error().code)) groups_.push_back(name);
        if (made && !group) made = group.error();
        return made.has_value() && !ending_;
    };
    some_at_once(names.size(), create, created);
    return made;
}

void BenchTarget::remove_groups() {
    std::vector<std::string> left;
    auto last_gone = std::chrono::steady_clock::now();
    auto remove = [this](std::size_t i) {
        return client_->admin().delete_group(groups_[i], patience);
    };
    auto removed = [&, next = groups_.begin()](const Result<void>& gone) mutable {
        const std::string& name = *next++;
        auto now = std::chrono::steady_clock::now();
        if (gone || gone.error().code == Errc::no_such_group) {
            last_gone = now;
        } else {
            left.push_back(name);
        }
        return now - last_gone < patience;
    };
    std::size_t tried = some_at_once(groups_.size(), remove, removed);
    left.insert(left.end(), groups_.begin() + static_cast<std::ptrdiff_t>(tried), groups_.end());
    groups_.clear();
    if (left.empty()) return;
    fmt::print(stderr,
               "{} of the run's groups are not known to be gone, {} first: `quorate group list` "
               "shows them, `quorate group delete NAME` removes one\n",
               left.size(), left.front());
}

}  // namespace quorate::cli
