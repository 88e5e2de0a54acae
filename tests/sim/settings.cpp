#include "tests/sim/settings.hpp"

#include <algorithm>
#include <array>

namespace quorate::sim {
namespace {

// One of the choices.
template <class T, std::size_t N>
T pick(Random& random, const std::array<T, N>& choices) {
    return choices[random() % N];
}

// A fault class is absent from about half of the worlds.
double sometimes(Random& random, double most) {
    return chance(random, 0.5) ? 0.0 : most * static_cast<double>(between(random, 1, 100)) / 100.0;
}

void draw_network(Random& random, Settings& s) {
    constexpr std::array<Duration, 4> delays{1ms, 2ms, 10ms, 50ms};
    s.delay_high = pick(random, delays);
    s.loss = sometimes(random, 0.1);
    s.duplicate = sometimes(random, 0.1);
    s.clog = sometimes(random, 0.002);
    s.partitions = sometimes(random, 0.4);
    s.one_way_cuts = sometimes(random, 0.3);
}

void draw_faults(Random& random, Settings& s) {
    s.crashes = sometimes(random, 0.5);
    s.crashes_after_send = sometimes(random, 0.0005);
    s.crashes_in_disk = chance(random, 0.5) ? 0.5 : 0.0;
    s.power_cuts = chance(random, 0.5) ? 1.0 : 0.5;
    s.membership_changes = sometimes(random, 0.5);
    s.transfers = sometimes(random, 0.3);
    s.snapshots = sometimes(random, 0.3);
    constexpr std::array<Duration, 4> syncs{500us, 3ms, 20ms, 80ms};
    s.sync_high = pick(random, syncs);
    s.stall = sometimes(random, 0.005);
    s.stops = sometimes(random, 0.3);
}

void draw_group(Random& random, Settings& s) {
    constexpr std::array<Duration, 4> timeouts{150ms, 300ms, 500ms, 1000ms};
    constexpr std::array<std::uint64_t, 4> snapshot_intervals{5, 20, 100, 500};
    constexpr std::array<std::uint32_t, 4> batches{1, 4, 64, 1024};
    s.group.raft.election_timeout = pick(random, timeouts);
    s.group.raft.heartbeat_interval = s.group.raft.election_timeout / 8;
    s.group.raft.commit_delay = 1ms * static_cast<int>(between(random, 0, 5));
    s.group.raft.hibernate_rounds = static_cast<std::uint32_t>(between(random, 0, 4));
    s.group.raft.pre_vote = chance(random, 0.6);  // without, more members campaign at once
    s.group.raft.max_append_entries = pick(random, batches);
    s.group.raft.max_append_bytes = between(random, 200, 20'000);
    s.group.raft.max_inflight_messages = static_cast<std::uint32_t>(between(random, 1, 16));
    s.group.raft.max_inflight_bytes = between(random, 1'000, 100'000);
    s.group.cache_bytes = between(random, 500, 50'000);
    constexpr std::array<std::uint64_t, 4> under_way{1, 40, 150, 10'000};
    s.group.commands_under_way = pick(random, under_way);
    s.group.snapshot_interval_entries = pick(random, snapshot_intervals);
    s.group.retained_entries = between(random, 0, 50);
    s.group.apply_batch = pick(random, batches);
    s.group.snapshot_piece_bytes = static_cast<std::uint32_t>(between(random, 64, 2'000));
    s.group.snapshot_window = static_cast<std::uint32_t>(between(random, 1, 4));
    s.group.snapshot_piece_timeout = 300ms;
    s.log.file_bytes = between(random, 32, 256) * 1024;
    s.log.waiting_files = static_cast<std::uint32_t>(between(random, 0, 3));
    s.log.low_bytes = 0;
    s.log.low_percent = 0;
}

// `most`, or down to a tenth of it.
double some(Random& random, double most) {
    return most * static_cast<double>(between(random, 1, 10)) / 10;
}

void make_stormy(Random& random, Settings& s) {
    s.stormy = true;
    constexpr std::array<Duration, 4> timeouts{40ms, 60ms, 100ms, 150ms};
    Duration timeout = pick(random, timeouts);
    auto part = [&] { return timeout * static_cast<int>(between(random, 1, 10)) / 30; };
    s.groups = 1;
    s.first_members = std::min<std::size_t>(s.hosts, 3);
    s.clients = between(random, 2, 8);
    s.keys = between(random, 1, 3);
    s.think = timeout / static_cast<int>(between(random, 2, 20));
    s.client_timeout = 10 * timeout;
    s.busy_for = 10 * timeout;
    s.rest_for = s.rest_for > 0s ? timeout * static_cast<int>(between(random, 2, 15)) : 0s;

    s.group.raft.election_timeout = timeout;
    s.group.raft.heartbeat_interval = timeout / static_cast<int>(between(random, 3, 8));
    s.group.raft.pre_vote = chance(random, 0.3);
    s.group.raft.check_quorum = chance(random, 0.6);
    s.group.raft.max_append_entries = static_cast<std::uint32_t>(between(random, 1, 2));
    s.group.raft.max_inflight_messages = static_cast<std::uint32_t>(between(random, 1, 2));
    s.group.snapshot_interval_entries = between(random, 3, 40);
    s.group.retained_entries = between(random, 0, 20);
    s.group.snapshot_piece_bytes = static_cast<std::uint32_t>(between(random, 64, 500));
    s.group.snapshot_piece_timeout = timeout;
    s.group.cache_bytes = between(random, 50, 1'500);

    s.delay_high = part();
    s.sync_high = part();
    s.clog = sometimes(random, 0.02);
    s.clog_high = 4 * timeout;
    double per_timeout = 1.0 / std::chrono::duration<double>(timeout).count();
    s.partitions = some(random, 0.1 * per_timeout);
    s.one_way_cuts = sometimes(random, 0.1 * per_timeout);
    s.crashes = some(random, 0.1 * per_timeout);
    s.crashes_after_send = sometimes(random, 0.002);
    s.away_high = timeout * static_cast<int>(between(random, 1, 10));
    s.membership_changes = sometimes(random, 0.5 * per_timeout);
    s.operation_timeout = 10 * timeout;
    s.impatient = chance(random, 0.5) ? 1.0 : 0.0;
    s.transfers = sometimes(random, 0.05 * per_timeout);
    s.snapshots = sometimes(random, 0.2 * per_timeout);
    s.harass = 0.3;
    s.fault_step = timeout / 4;
    s.stops = sometimes(random, 0.05 * per_timeout);
}

Settings draw_calm(Random& random, std::uint64_t seed) {
    Settings s;
    s.seed = seed;
    constexpr std::array<std::size_t, 6> hosts{3, 3, 3, 4, 5, 5};
    s.hosts = pick(random, hosts);
    s.groups = between(random, 1, 2);
    s.first_members = between(random, 1, 4) == 1 ? between(random, 1, s.hosts) : 3;
    s.clients = between(random, 1, 6);
    s.keys = between(random, 1, 12);
    constexpr std::array<Duration, 3> thinks{5ms, 30ms, 200ms};
    s.think = pick(random, thinks);
    if (chance(random, 0.5)) s.rest_for = between(random, Duration(500ms), Duration(5s));
    draw_network(random, s);
    draw_faults(random, s);
    draw_group(random, s);
    return s;
}

Random random_of(std::uint64_t seed) {
    return Random(seed * 0x9E3779B97F4A7C15ull + 1);
}

}  // namespace

Settings Settings::draw(std::uint64_t seed) {
    Random random = random_of(seed);
    Settings s = draw_calm(random, seed);
    if (chance(random, 0.4)) make_stormy(random, s);
    return s;
}

Settings Settings::draw_stormy(std::uint64_t seed) {
    Random random = random_of(seed);
    Settings s = draw_calm(random, seed);
    make_stormy(random, s);
    s.length = 150 * s.group.raft.election_timeout;
    return s;
}

void Settings::calm() {
    delay_high = std::min<Duration>(delay_high, group.raft.election_timeout / 20);
    sync_high = std::min<Duration>(sync_high, group.raft.election_timeout / 20);
    delay_low = std::min(delay_low, delay_high);
    sync_low = std::min(sync_low, sync_high);
    stall = 0;
}

std::string Settings::text() const {
    auto number = [](const char* name, double value) {
        return std::string(" ") + name + "=" + std::to_string(value);
    };
    std::string text = std::string(stormy ? "stormy " : "") + "hosts=" + std::to_string(hosts) +
                       " groups=" + std::to_string(groups) + " clients=" + std::to_string(clients) +
                       " timeout_ms=" + std::to_string(group.raft.election_timeout / 1ms) +
                       " append=" + std::to_string(group.raft.max_append_entries) +
                       " snapshot=" + std::to_string(group.snapshot_interval_entries);
    return text + number("loss", loss) + number("dup", duplicate) + number("clog", clog) +
           number("partitions", partitions) + number("one_way", one_way_cuts) +
           number("crashes", crashes) + number("after_send", crashes_after_send) +
           number("in_disk", crashes_in_disk) + number("changes", membership_changes) +
           number("transfers", transfers) + number("stall", stall) + number("stops", stops);
}

}  // namespace quorate::sim
