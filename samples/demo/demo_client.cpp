#include "plugins/kv/protocol.hpp"
#include "rpc/client/client.hpp"
#include "rpc/client/pipeline.hpp"
#include "rpc/client/rejection.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <thread>

// A client of the kv machine, as the demo and the crash tests need one: writes many keys through a
// pipeline, remembers on disk what was acknowledged, measures how long a group is without service,
// and finds every acknowledged command again. A sample of how the client library is used, too.
namespace quorate::demo {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Wanted {
    std::vector<std::string> endpoints;
    std::string group = "demo";
    std::string prefix = "k";
    std::string acked = "acked.txt";  // one acknowledged key a line
    std::uint64_t count = 1000;
    std::uint64_t window = 1000;
    std::uint64_t value_bytes = 64;
    double seconds = 30;
};

std::string value_of(const std::string& key, std::uint64_t bytes) {
    std::string value = "value of " + key + " ";
    value.resize(std::max<std::size_t>(value.size(), bytes), '.');
    return value;
}

// What became of the commands of one run. Filled on the client's thread, read after drain().
struct Tally {
    std::uint64_t applied = 0;
    std::uint64_t refused = 0;
    std::uint64_t unknown = 0;
    std::uint64_t rejected = 0;  // applied, and the machine said no
    std::uint64_t replaced = 0;  // keys are new: a key that was there had been applied twice
    std::string last_error;
    std::ofstream acked;
};

class Judge {
 public:
    Judge(Tally& tally, const std::string& prefix) : tally_(tally), prefix_(prefix) {}

    void operator()(std::span<client::PipelineOutcome> outcomes) {
        for (client::PipelineOutcome& outcome : outcomes) {
            correlation_ = outcome.correlation;
            std::visit(*this, outcome.outcome);
        }
        // What is acknowledged is on the disk before the next is: kill -9 of this program loses none.
        tally_.acked.flush();
    }
    void operator()(client::Applied& applied) {
        if (auto rejection = client::rejection_of(applied.reply.view())) {
            ++tally_.rejected;
            tally_.last_error = fmt::format("rejected ({}): {}", rejection->code, rejection->text);
            return;
        }
        ++tally_.applied;
        if (kv::tag_of(applied.reply.text()) != kv::Tag::created) ++tally_.replaced;
        tally_.acked << prefix_ << correlation_ << '\n';
    }
    void operator()(client::NotApplied& refused) {
        ++tally_.refused;
        tally_.last_error = to_string(refused.error);
    }
    void operator()(client::Unknown& unknown) {
        ++tally_.unknown;
        tally_.last_error = to_string(unknown.error);
    }

 private:
    Tally& tally_;
    std::string prefix_;
    std::uint64_t correlation_ = 0;
};

volatile std::sig_atomic_t asked_to_stop = 0;

// Writes `count` keys, or until SIGTERM. Every command ends in exactly one outcome.
int write(client::Client& client, const Wanted& wanted) {
    std::signal(SIGTERM, [](int) { asked_to_stop = 1; });
    Tally tally;
    tally.acked.open(wanted.acked, std::ios::app);
    auto pipeline = client.group(wanted.group)
                        .pipeline({.on_outcomes = Judge(tally, wanted.prefix),
                                   .window = static_cast<std::uint32_t>(wanted.window),
                                   .timeout = 10s});
    if (!pipeline.has_value()) throw UnexpectedError(pipeline.error());
    auto begin = Steady::now();
    std::uint64_t sent = 0;
    while (sent < wanted.count && asked_to_stop == 0) {
        std::string key = wanted.prefix + std::to_string(++sent);
        std::string command = kv::put(key, value_of(key, wanted.value_bytes));
        (*pipeline)->submit(sent, as_bytes(command));
    }
    (*pipeline)->drain();
    Seconds took = Steady::now() - begin;
    fmt::print(
        "{} sent, {} acknowledged, {} rejected, {} refused, {} unknown in {:.2f} s ({:.0f} a "
        "second)\n",
        sent, tally.applied, tally.rejected, tally.refused, tally.unknown, took.count(),
        static_cast<double>(sent) / took.count());
    if (!tally.last_error.empty()) fmt::print("last error: {}\n", tally.last_error);
    if (tally.replaced != 0) fmt::print("{} commands were applied twice\n", tally.replaced);
    bool complete = tally.applied + tally.rejected + tally.refused + tally.unknown == sent;
    if (!complete) fmt::print("some commands never ended\n");
    return complete && tally.replaced == 0 && tally.rejected == 0 ? 0 : 1;
}

// Submits until one command is acknowledged, and says how long that took.
int first_write(client::Client& client, const Wanted& wanted) {
    auto begin = Steady::now();
    auto group = client.group(wanted.group);
    for (std::uint64_t attempt = 1; Steady::now() - begin < Seconds(wanted.seconds); ++attempt) {
        std::string key = wanted.prefix + std::to_string(attempt);
        std::string command = kv::put(key, value_of(key, wanted.value_bytes));
        auto outcome = group.submit(as_bytes(command), 2s).get();
        auto* applied = std::get_if<client::Applied>(&outcome);
        if (applied != nullptr && !client::rejection_of(applied->reply.view())) {
            std::ofstream(wanted.acked, std::ios::app) << key << '\n';
            fmt::print("{:.0f}\n", Seconds(Steady::now() - begin).count() * 1000);
            return 0;
        }
    }
    fmt::print("no command was acknowledged within {} s\n", wanted.seconds);
    return 1;
}

// Finds every acknowledged key again, with its value, by linearizable reads.
int verify(client::Client& client, const Wanted& wanted) {
    std::map<std::string, std::string> held;
    std::string from;
    for (std::uint8_t more = 1; more != 0;) {
        std::string query = kv::range({.from = from, .to = {}});
        auto answer = client.group(wanted.group)
                          .query(client::ReadLevel::linearizable, as_bytes(query), 10s)
                          .get();
        if (!answer.has_value()) throw UnexpectedError(answer.error());
        auto rows = kv::parse_range(answer->reply.text());
        for (auto& [key, value] : rows.rows) held.emplace(key, value);
        more = rows.rows.empty() ? 0 : rows.more;
        if (more != 0) from = std::string(rows.rows.back().first) + '\0';
    }
    std::ifstream acked(wanted.acked);
    std::uint64_t found = 0;
    std::uint64_t lost = 0;
    for (std::string key; std::getline(acked, key);) {
        auto at = held.find(key);
        bool there = at != held.end() && at->second == value_of(key, wanted.value_bytes);
        there ? ++found : ++lost;
        if (!there && lost <= 5) fmt::print("lost: {}\n", key);
    }
    fmt::print("{} acknowledged commands found, {} lost; the group holds {} keys\n", found, lost,
               held.size());
    return lost == 0 && found > 0 ? 0 : 1;
}

// Empty if `members` members are running and hold the same state; else what differs.
std::string difference(const std::vector<client::MemberAnswer>& answers, std::uint64_t members) {
    if (answers.size() != members) return fmt::format("{} members", answers.size());
    const client::MemberStatus* first = nullptr;
    for (const client::MemberAnswer& answer : answers) {
        if (!answer.status)
            return fmt::format("{}: {}", answer.host,
                               answer.error ? to_string(*answer.error) : "-");
        const client::MemberStatus& s = *answer.status;
        if (s.state != "running") return fmt::format("{} is {}", answer.host, s.state);
        if (s.kind != client::VoteKind::voter)
            return fmt::format("{} is no voter yet", answer.host);
        if (first == nullptr) first = &s;
        if (s.applied != first->applied)
            return fmt::format("{} is at {}", answer.host, s.applied.value());
        if (s.outcome_hash != first->outcome_hash) return answer.host + " has another outcome hash";
        if (s.state_hash.empty() || s.state_hash != first->state_hash)
            return answer.host + " has another state";
    }
    return {};
}

// Waits until all members hold the same state.
int wait_equal(client::Client& client, const Wanted& wanted) {
    auto end = Steady::now() + Seconds(wanted.seconds);
    std::string why;
    while (Steady::now() < end) {
        auto answers = client.admin().group_members(wanted.group, true, 5s).get();
        why = answers.has_value() ? difference(*answers, wanted.count) : to_string(answers.error());
        if (why.empty()) {
            fmt::print("{} members at entry {}, state {}\n", wanted.count,
                       answers->front().status->applied.value(),
                       answers->front().status->state_hash);
            return 0;
        }
        std::this_thread::sleep_for(50ms);
    }
    fmt::print("the members are not equal after {} s: {}\n", wanted.seconds, why);
    return 1;
}

}  // namespace
}  // namespace quorate::demo

int main(int argc, char** argv) {
    using namespace quorate;
    demo::Wanted wanted;
    CLI::App app("a client of the kv machine", "demo_client");
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--endpoint", wanted.endpoints)->required()->delimiter(',');
    app.add_option("--group", wanted.group);
    app.add_option("--prefix", wanted.prefix, "of keys");
    app.add_option("--acked", wanted.acked, "file of acknowledged keys");
    app.add_option("--count", wanted.count, "commands, or members");
    app.add_option("--window", wanted.window);
    app.add_option("--value-bytes", wanted.value_bytes);
    app.add_option("--seconds", wanted.seconds, "limit");
    using Run = int (*)(client::Client&, const demo::Wanted&);
    Run run = nullptr;
    app.add_subcommand("write", "write keys through a pipeline")->callback([&run] {
        run = demo::write;
    });
    app.add_subcommand("first-write", "milliseconds until a command is acknowledged")
        ->callback([&run] { run = demo::first_write; });
    app.add_subcommand("verify", "find every acknowledged key")->callback([&run] {
        run = demo::verify;
    });
    app.add_subcommand("wait-equal", "wait until --count members hold the same state")
        ->callback([&run] { run = demo::wait_equal; });
    CLI11_PARSE(app, argc, argv);
    try {
        auto client =
            client::Client::connect({.endpoints = wanted.endpoints, .software = "demo"}).value();
        return run(*client, wanted);
    } catch (const std::exception& e) {
        std::cerr << "demo_client: " << e.what() << "\n";
        return 1;
    }
}
