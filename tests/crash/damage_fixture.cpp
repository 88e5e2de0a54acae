#include "tests/crash/damage_fixture.hpp"

#include "plugins/kv/protocol.hpp"
#include "tests/crash/seed.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace quorate::testing {
namespace {

namespace fs = std::filesystem;

// Up to its last byte that is not zero: what lies behind is room that nobody has used.
std::size_t used_bytes(const std::string& content) {
    std::size_t last = content.find_last_not_of('\0');
    return last == std::string::npos ? content.size() : last + 1;
}

void write_back(const std::string& path, const std::string& content) {
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << content;
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

// The lines that say that something was wrong.
std::string complaints(const std::string& log) {
    std::string found;
    for (std::size_t at = 0; at < log.size();) {
        std::size_t end = std::min(log.find('\n', at), log.size());
        std::string line = log.substr(at, end - at);
        bool about_peers = line.find(" peer_") != std::string::npos ||
                           line.find("__wt_bm_corrupt_dump") != std::string::npos;
        bool bad = line.find(" warning ") != std::string::npos ||
                   line.find(" error ") != std::string::npos || line.starts_with("error ");
        if (bad && !about_peers) found += "    " + line + "\n";
        at = end + 1;
    }
    return found;
}

constexpr const char* wal_in_use = "log/wal in use";

// The pid within is for people, the lock is the kernel's; the last is made anew at every start.
bool is_of_no_consequence(const std::string& label) {
    return label == "lock" || label.ends_with("WiredTiger.lock") ||
           label.ends_with("WiredTigerLAS.wt");
}

// WiredTiger's pages that a checkpoint has left behind are not read again, nor are files of the log
// that have settled, nor the older of the watermark's slots.
bool may_be_dead(const std::string& label) {
    return label.find("/settled/") != std::string::npos || label.ends_with("watermark") ||
           label.starts_with("log/wal #");
}

// The seal, and a plugin's record, are not there either after a crash at the wrong moment.
bool may_be_missing(const std::string& label) {
    return label.starts_with("log/wal #") || label.ends_with("settled.seal") ||
           label.ends_with(".json");
}

// Set aside, kept for people and never read again.
bool is_aside(const std::string& label) {
    return label.find("damaged/") != std::string::npos || label.find("bad-") != std::string::npos ||
           label.find("damaged-") != std::string::npos || label.ends_with(".damaged");
}

}  // namespace

Damage::Damage() : random_(seed_of_run()) {
    cluster_.install(kv_plugin());
    cluster_.create_group("map", "quorate.kv");
    load_ = std::make_unique<Load>(LoadOptions{.endpoints = cluster_.endpoints(),
                                               .group = "map",
                                               .tongue = &large_kv_tongue(),
                                               .threads = 2,
                                               .per_second = 5000});
    load_->wait_for_more(1500);
    cluster_.admin().take_snapshot("map", "", 20s).get().value();
    load_->wait_for_more(2500);
    load_->stop();
    cluster_.wait_equal("map");
}

// So that the log has a file that nothing else stands in for: it holds what was just written, which
// neither a snapshot nor the settled log has.
void Damage::write_fresh() {
    const std::string directory = cluster_.host(victim_).data + "/log";
    for (;;) {
        for (int i = 0; i < 10; ++i) {
            newest_ = "fresh-" + std::to_string(++fresh_) + "-";
            std::string command = kv::put(newest_, "");
            cluster_.client().group("map").submit(as_bytes(command), 20s).get();
        }
        cluster_.wait_equal("map", 60s);
        for (const auto& entry : fs::directory_iterator(directory)) {
            if (!entry.path().filename().string().starts_with("wal-")) continue;
            std::string content = read_text(entry.path().string());
            // One that is nearly full might be settled before the host stops.
            if (content.find(newest_) < content.size() / 4 * 3) return;
        }
    }
}

std::vector<Damage::Target> Damage::targets() const {
    const std::string& root = cluster_.host(victim_).data;
    std::vector<Target> all;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file()) continue;
        std::string label = fs::relative(entry.path(), root).string();
        if (!is_aside(label)) all.push_back({entry.path().string(), label});
    }
    std::ranges::sort(all, {}, &Target::label);
    std::size_t wals = 0;
    std::size_t snapshots = 0;
    for (Target& target : all) {
        if (target.label.starts_with("log/wal-")) {
            bool in_use = read_text(target.path).find(newest_) != std::string::npos;
            target.label = in_use ? wal_in_use : "log/wal #" + std::to_string(++wals);
        }
        if (target.label.starts_with("snapshots/")) {
            target.label = "snapshots/#" + std::to_string(++snapshots);
        }
    }
    return all;
}

const Damage::Target* Damage::next_target(const std::vector<Target>& all) const {
    auto next = std::ranges::find_if(
        all, [this](const Target& target) { return !done_.contains(target.label); });
    return next == all.end() ? nullptr : &*next;
}

void Damage::harm_each(Harm harm) {
    done_.clear();
    for (;;) {
        write_fresh();
        EXPECT_EQ(cluster_.stop(victim_), 0);
        auto all = targets();
        const Target* next = next_target(all);
        if (next == nullptr) break;
        done_.insert(next->label);
        SCOPED_TRACE(next->label);
        harm_one(*next, harm);
        if (HasFailure()) return;
    }
    cluster_.start(victim_);
    EXPECT_TRUE(done_.contains(wal_in_use));
}

std::string Damage::inflict(const Target& target, Harm harm) {
    if (harm == Harm::removed) {
        fs::remove(target.path);
        return "removed";
    }
    std::string content = read_text(target.path);
    if (content.empty()) return "empty as it is";
    std::size_t at = random_() % used_bytes(content);
    // In the file in use, in the header or the payload of the record that was written last.
    if (target.label == wal_in_use) at = content.find(newest_) - random_() % 60;
    std::size_t size = content.size();
    std::string what;
    if (harm == Harm::cut_short) {
        content.resize(at);
        what = "cut to " + std::to_string(at);
    } else {
        unsigned bit = static_cast<unsigned>(random_() % 8);
        content[at] = static_cast<char>(static_cast<unsigned char>(content[at]) ^ (1u << bit));
        what = "bit " + std::to_string(bit) + " flipped in byte " + std::to_string(at);
    }
    write_back(target.path, content);
    return what + " of " + std::to_string(size);
}

void Damage::harm_one(const Target& target, Harm harm) {
    ClusterHost& host = cluster_.host(victim_);
    std::size_t log_before = read_text(host.log).size();
    std::string what = inflict(target, harm);
    cluster_.launch(victim_);
    bool ready = host.notify->wait_for("READY=1", *host.process, 60s);
    if (ready) cluster_.wait_equal("map", 60s);
    std::string said = complaints(read_text(host.log).substr(log_before));
    std::cout << target.label << ": " << what << "\n" << said << std::flush;
    EXPECT_TRUE(ready) << target.label << " " << what << ": the host did not start";
    if (ready) expect_said(target, harm, said);
}

void Damage::expect_said(const Target& target, Harm harm, const std::string& said) const {
    bool unread = harm == Harm::removed ? may_be_missing(target.label) : may_be_dead(target.label);
    bool silent = unread || is_of_no_consequence(target.label);
    if (silent && said.empty()) return;
    EXPECT_THAT(said, ::testing::HasSubstr(fs::path(target.path).stem().string()))
        << "the harmed file is not named";
}

void Damage::check() {
    std::cout << load_->summary() << "\n";
    cluster_.wait_equal("map");
    EXPECT_EQ(load_->verify(cluster_.client()), "");
}

}  // namespace quorate::testing
