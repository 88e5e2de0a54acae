#pragma once

// Checks that every machine should pass. Each runs the machine on the given commands and returns a
// sentence that says what is wrong; empty when nothing is. Seeds make the random parts repeatable.

#include <quorate/testkit.hpp>
#include <random>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace testkit {

namespace detail {

inline std::vector<Entry> to_entries(const std::vector<std::string>& commands) {
    std::vector<Entry> entries;
    for (const std::string& command : commands) entries.push_back(Entry{.bytes = command});
    return entries;
}

// Applies entries [from, to) in batches of at most `most`, their sizes drawn from the seed.
inline std::vector<Outcome> run(Instance& instance, const std::vector<Entry>& entries,
                                std::size_t most, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Outcome> outcomes;
    for (std::size_t at = 0; at < entries.size();) {
        std::size_t size = std::min(entries.size() - at, 1 + random() % most);
        auto first = entries.begin() + static_cast<std::ptrdiff_t>(at);
        std::vector<Outcome> part =
            instance.deliver({first, first + static_cast<std::ptrdiff_t>(size)});
        outcomes.insert(outcomes.end(), part.begin(), part.end());
        at += size;
    }
    return outcomes;
}

inline std::string first_difference(const std::vector<Outcome>& a, const std::vector<Outcome>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!(a[i] == b[i])) return "the outcome of command " + std::to_string(i) + " differs";
    }
    return {};
}

// Loads the bytes into a fresh instance; says whether they were refused.
inline bool is_refused(qr_plugin_entry entry, std::string_view snapshot) {
    try {
        Instance(entry).restore(snapshot);
        return false;
    } catch (const Refused&) {
        return true;
    }
}

}  // namespace detail

// The state survives a snapshot: saved, loaded and saved again gives the same bytes.
inline std::string check_save_load_save(qr_plugin_entry entry,
                                        const std::vector<std::string>& commands) {
    Instance first(entry);
    detail::run(first, detail::to_entries(commands), 64, 1);
    std::string saved = first.snapshot();
    if (saved != first.snapshot()) return "saving twice gives different bytes";
    Instance second(entry);
    second.restore(saved);
    if (saved != second.snapshot()) return "saving what was loaded gives different bytes";
    return {};
}

// Outcomes and state do not depend on where batches are cut.
inline std::string check_batch_split(qr_plugin_entry entry,
                                     const std::vector<std::string>& commands, std::uint64_t seed) {
    std::vector<Entry> entries = detail::to_entries(commands);
    Instance single(entry);
    std::vector<Outcome> expected = detail::run(single, entries, 1, seed);
    for (std::size_t most : {2u, 7u, 64u, 997u}) {
        Instance split(entry);
        std::string different =
            detail::first_difference(expected, detail::run(split, entries, most, seed + most));
        std::string where = " with batches of up to " + std::to_string(most);
        if (!different.empty()) return different + where;
        if (single.snapshot() != split.snapshot()) return "the state differs" + where;
    }
    return {};
}

// A member restored in the middle goes on exactly as one that was not: finds fields that save()
// forgets and outcomes that depend on the order of hashed containers.
inline std::string check_restore_midway(qr_plugin_entry entry,
                                        const std::vector<std::string>& commands,
                                        std::uint64_t seed) {
    std::vector<Entry> entries = detail::to_entries(commands);
    std::size_t middle = entries.empty() ? 0 : std::mt19937_64(seed)() % entries.size();
    auto cut = entries.begin() + static_cast<std::ptrdiff_t>(middle);
    Instance whole(entry);
    detail::run(whole, {entries.begin(), cut}, 64, seed);
    Instance restored(entry);
    restored.restore(whole.snapshot());
    restored.set_index(whole.index());
    std::vector<Entry> rest(cut, entries.end());
    std::string different = detail::first_difference(detail::run(whole, rest, 64, seed),
                                                     detail::run(restored, rest, 64, seed));
    std::string where = " after a restore at command " + std::to_string(middle);
    if (!different.empty()) return different + where;
    if (whole.snapshot() != restored.snapshot()) return "the state differs" + where;
    return {};
}

// Snapshots that are empty, cut, continued or changed in one bit are refused, and crash nothing.
inline std::string check_damaged_snapshots(qr_plugin_entry entry,
                                           const std::vector<std::string>& commands,
                                           std::uint64_t seed) {
    Instance instance(entry);
    detail::run(instance, detail::to_entries(commands), 64, seed);
    const std::string good = instance.snapshot();
    if (detail::is_refused(entry, good)) return "the machine refuses its own snapshot";
    if (!detail::is_refused(entry, good + '\0')) return "it loads a snapshot with a byte too much";
    std::mt19937_64 random(seed);
    for (int i = 0; i < 64; ++i) {
        std::size_t size = i == 0 ? 0 : random() % good.size();
        if (!detail::is_refused(entry, std::string_view(good).substr(0, size))) {
            return "it loads a snapshot cut to " + std::to_string(size) + " bytes";
        }
        std::string flipped = good;
        std::size_t at = random() % good.size();
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << random() % 8));
        if (!detail::is_refused(entry, flipped)) {
            return "it loads a snapshot with a bit changed at byte " + std::to_string(at);
        }
    }
    return {};
}

// Random bytes as commands are rejected or applied, never a fault: a client must not stop a group.
inline std::string check_random_commands(qr_plugin_entry entry, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    Instance instance(entry);
    for (int i = 0; i < 2000; ++i) {
        std::string bytes(random() % 40, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random() % (i % 2 == 0 ? 4 : 256));
        try {
            instance.submit(bytes);
        } catch (const Fault& fault) {
            return "random bytes number " + std::to_string(i) + " are a fault: " + fault.what();
        }
    }
    return {};
}

// All of the above; the first problem found, with the seed.
inline std::string check_all(qr_plugin_entry entry, const std::vector<std::string>& commands,
                             std::uint64_t seed) {
    for (const std::string& problem :
         {check_save_load_save(entry, commands), check_batch_split(entry, commands, seed),
          check_restore_midway(entry, commands, seed),
          check_damaged_snapshots(entry, commands, seed), check_random_commands(entry, seed)}) {
        if (!problem.empty()) return problem + " (seed " + std::to_string(seed) + ")";
    }
    return {};
}

}  // namespace testkit
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
