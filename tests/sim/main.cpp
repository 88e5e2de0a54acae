#include "tests/sim/world.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <optional>

// The simulator as a program: many seeds, or one seed again. Exit code 1: a breach, with the
// command that shows it again.
namespace quorate::sim {
namespace {

struct Wanted {
    std::uint64_t seeds = 200;
    std::uint64_t from = 0;  // 0: from the clock, so that each run is new
    std::optional<std::uint64_t> one;
    std::uint64_t seconds = 0;  // 0: as drawn
    bool stormy = false;
    bool verbose = false;
};

struct Total {
    std::uint64_t seeds = 0, events = 0, crashes = 0, partitions = 0;
    Duration simulated{};
    Witness::Reach reach;

    void add(const RunResult& r) {
        ++seeds;
        events += r.events;
        crashes += r.crashes;
        partitions += r.partitions;
        simulated += r.simulated;
        reach.add(r.reach);
    }
};

void print(const Total& t, std::chrono::duration<double> took) {
    fmt::print(
        "{} seeds, {:.1f} simulated hours in {:.1f} s ({:.0f} x real time), {} events\n"
        "reach: {} terms, {} crashes, {} partitions, {} applied, {} acknowledged, {} refused, {} "
        "unknown, {} reads, "
        "{} snapshots loaded, {} entries overwritten, {} membership changes, {} outcome hashes "
        "compared, {} followers asleep, {} woken, {} silent nights, {} leaders missed in their "
        "sleep\n",
        t.seeds, std::chrono::duration<double>(t.simulated).count() / 3600, took.count(),
        std::chrono::duration<double>(t.simulated).count() / took.count(), t.events, t.reach.terms,
        t.crashes, t.partitions, t.reach.applied, t.reach.acknowledged, t.reach.refused,
        t.reach.unknown, t.reach.reads, t.reach.snapshots_loaded, t.reach.overwritten,
        t.reach.memberships, t.reach.outcomes_compared, t.reach.fell_asleep, t.reach.woken,
        t.reach.silent_nights, t.reach.leaders_missed);
}

Settings settings_for(std::uint64_t seed, const Wanted& wanted) {
    Settings settings = wanted.stormy ? Settings::draw_stormy(seed) : Settings::draw(seed);
    if (wanted.seconds != 0) settings.length = std::chrono::seconds(wanted.seconds);
    settings.verbose = wanted.verbose;
    return settings;
}

int run(const Wanted& wanted) {
    auto begin = std::chrono::steady_clock::now();
    std::uint64_t from =
        wanted.from != 0
            ? wanted.from
            : static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / 1s) *
                  100'000;
    if (wanted.one) from = *wanted.one;
    std::uint64_t count = wanted.one ? 1 : wanted.seeds;
    Total total;
    fmt::print("seeds {} to {}\n", from, from + count - 1);
    for (std::uint64_t seed = from; seed < from + count; ++seed) {
        RunResult result = run_world(settings_for(seed, wanted));
        total.add(result);
        if (wanted.one)
            fmt::print("{}\ndigest {:016x}\n", settings_for(seed, wanted).text(), result.digest);
        if (result.breach.empty()) continue;
        fmt::print("BREACH at seed {} after {:.3f} s: {}\n  {}\nagain: ./dev sim --seed {}{}\n",
                   seed, std::chrono::duration<double>(result.simulated).count(), result.breach,
                   settings_for(seed, wanted).text(), seed, wanted.stormy ? " --stormy" : "");
        fmt::print("{}", result.picture);
        return 1;
    }
    print(total, std::chrono::steady_clock::now() - begin);
    return 0;
}

}  // namespace
}  // namespace quorate::sim

int main(int argc, char** argv) {
    quorate::sim::Wanted wanted;
    CLI::App app("Simulates whole hosts under one seeded scheduler", "simulator");
    app.add_option("--seeds", wanted.seeds, "how many")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--from", wanted.from, "the first (default: a new one each time)");
    app.add_option("--seed", wanted.one, "run this one, and print its settings and digest");
    app.add_option("--seconds", wanted.seconds, "simulated, of the phase with faults");
    app.add_flag("--stormy", wanted.stormy, "storms only, as in sim_mutants_test");
    app.add_flag("--verbose", wanted.verbose, "print the hosts' log");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) return app.exit(e);  // --help
        fmt::print(
            stderr,
            "simulator: {}; for example ./dev sim --seeds 200, and ./dev sim --help lists all\n",
            e.what());
        return 2;
    }
    return quorate::sim::run(wanted);
}
