#pragma once

#include "rpc/client/client.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace quorate::testing {

// How the load speaks to one kind of machine.
class Tongue {
 public:
    virtual ~Tongue() = default;
    virtual std::string command(const std::string& key) const = 0;
    // The reply to a command that was applied for the first time.
    virtual bool is_first(std::string_view reply) const = 0;
    // What the group holds under keys that begin with `prefix`, by linearizable reads.
    virtual std::map<std::string, std::string> read_all(client::Group group,
                                                        const std::string& prefix) const = 0;
    // What it must hold under an applied key.
    virtual std::string value(const std::string& key) const = 0;
};
const Tongue& kv_tongue();        // puts of some 50 bytes
const Tongue& large_kv_tongue();  // of 1 KiB
const Tongue& ledger_tongue();    // counts: a command applied twice is seen whatever was answered

struct LoadOptions {
    std::vector<std::string> endpoints;
    std::string group;
    const Tongue* tongue = &kv_tongue();
    std::size_t threads = 1;
    std::uint64_t per_second = 1000;  // of each thread, at most
    std::uint32_t window = 64;
    Duration timeout = 5s;
    std::string prefix = "k";
};

// Clients that write new keys through pipelines until they are stopped, and remember of every
// command how it ended.
class Load {
 public:
    explicit Load(LoadOptions options);
    ~Load();

    std::uint64_t acknowledged() const;
    // Waits until `count` more commands were acknowledged than now; throws after `timeout`.
    void wait_for_more(std::uint64_t count, Duration timeout = 60s);
    // Ends when every command has ended.
    void stop();

    // Holds the group to what its clients were told: every acknowledged key is there, no refused
    // one is, none was applied twice, and every command ended. Empty if so, else what is wrong.
    // Pre: stopped.
    std::string verify(client::Client& client) const;
    // How many ended how, for people.
    std::string summary() const;

 private:
    enum class Fate : std::uint8_t { waiting, applied, applied_twice, refused, unknown };
    struct Writer {
        std::string prefix;
        std::vector<Fate> fates;  // by number, from 0
        mutable std::mutex mutex;
        std::thread thread;
    };
    struct Judge;

    void write(Writer& writer);
    void ended(Writer& writer, std::uint64_t number, Fate fate);

    LoadOptions options_;
    std::unique_ptr<client::Client> client_;
    std::vector<std::unique_ptr<Writer>> writers_;
    std::atomic<bool> stopping_ = false;
    std::atomic<std::uint64_t> acknowledged_ = 0;
};

// Submits new keys one after another until one is acknowledged; how long that took.
Duration first_write(client::Client& client, const std::string& group, Duration timeout = 30s);

}  // namespace quorate::testing
