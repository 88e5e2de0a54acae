// How long taking a view of the kv machine pauses apply, at a million keys, and what writes cost while a
// view lives. The bound is 1 ms (plugins/kv/README.md).
#include "plugins/kv/protocol.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <optional>
#include <quorate/testkit.hpp>
#include <random>

QR_DECLARE_STATIC_PLUGIN(kv);

namespace {

namespace kv = quorate::kv;
using quorate::testkit::Instance;
using quorate::testkit::View;

std::string key_of(std::uint64_t number) {
    std::string digits = std::to_string(number);
    return "key-" + std::string(12 - digits.size(), '0') + digits;
}
std::string random_put(std::mt19937_64& random, std::uint64_t keys) {
    return kv::put(key_of(random() % keys), std::string(100, 'x'));
}

// Processor time of this thread: the worst case is the machine's, not that of a busy host.
double thread_us() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// One machine per size, filled once in random order.
Instance& filled(std::uint64_t keys) {
    static std::map<std::uint64_t, std::unique_ptr<Instance>> machines;
    std::unique_ptr<Instance>& machine = machines[keys];
    if (!machine) {
        machine = std::make_unique<Instance>(QR_STATIC_ENTRY(kv));
        std::mt19937_64 random(keys);
        std::vector<std::uint64_t> order(keys);
        for (std::uint64_t i = 0; i < keys; ++i) order[i] = i;
        std::shuffle(order.begin(), order.end(), random);
        for (std::uint64_t number : order) {
            machine->submit(kv::put(key_of(number), std::string(100, 'x')));
        }
    }
    return *machine;
}

// Opening and closing a view: the whole of what apply waits for.
void view_open(benchmark::State& state) {
    Instance& machine = filled(static_cast<std::uint64_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(machine.view());
}
BENCHMARK(view_open)->Arg(1'000)->Arg(1'000'000);

// A put to a random key. `views`: 0 none lives, 1 one lives, taken anew every 100,000 puts.
void put(benchmark::State& state) {
    auto keys = static_cast<std::uint64_t>(state.range(0));
    Instance& machine = filled(keys);
    std::mt19937_64 random(3);
    std::optional<View> view;
    std::uint64_t puts = 0;
    double worst = 0;
    for (auto _ : state) {
        if (state.range(1) == 1 && puts++ % 100'000 == 0) {
            view.reset();
            view.emplace(machine.view());
        }
        std::string command = random_put(random, keys);
        double start = thread_us();
        benchmark::DoNotOptimize(machine.submit(command));
        worst = std::max(worst, thread_us() - start);
    }
    state.counters["worst_us"] = worst;
}
BENCHMARK(put)->ArgNames({"keys", "views"})->Args({1'000'000, 0})->Args({1'000'000, 1});

void get(benchmark::State& state) {
    auto keys = static_cast<std::uint64_t>(state.range(0));
    Instance& machine = filled(keys);
    std::mt19937_64 random(3);
    for (auto _ : state) {
        benchmark::DoNotOptimize(machine.query(kv::get(key_of(random() % keys))));
    }
}
BENCHMARK(get)->Arg(1'000'000);

void save(benchmark::State& state) {
    View view = filled(static_cast<std::uint64_t>(state.range(0))).view();
    std::size_t bytes = 0;
    for (auto _ : state) bytes += view.save().size();
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(save)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
