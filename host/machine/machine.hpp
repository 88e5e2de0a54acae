#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/base/strong.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::machine {

// One committed entry as the machine sees it.
struct Command {
    EntryId id;
    std::int64_t time_ms =
        0;  // the leader's clock when it was proposed, never below its predecessor's
    std::uint32_t kind = 0;  // qr_entry.kind of plugin.h: command, timer, session up/down, ...
    std::uint64_t session = 0;
    std::uint64_t correlation = 0;
    ByteView payload;
};

// Receives what apply() produces, in order of production. Bytes are borrowed until return.
class ApplySink {
 public:
    virtual ~ApplySink() = default;
    // `entry` is the position in the batch.
    virtual void reply(std::size_t entry, ByteView bytes) = 0;
    // A flat effect record of plugin.h, complete with its header.
    virtual void effect(std::size_t entry, ByteView record) = 0;
};

class ByteSink {
 public:
    virtual ~ByteSink() = default;
    virtual Result<void> write(ByteView bytes) = 0;
};
class ByteSource {
 public:
    virtual ~ByteSource() = default;
    // Up to into.size() bytes, 0 at the end.
    virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
};

// A machine's state as it was when the view was opened. Thread: background, concurrent with
// apply. Must be destroyed before its machine.
class View {
 public:
    virtual ~View() = default;
    // Canonical: equal states give equal bytes. Stops with Errc::cancelled soon after `cancel` is set.
    virtual Result<void> save(ByteSink& into, const std::atomic<bool>& cancel) const = 0;
};

// One instance of a machine type: the state of one member. Thread: the group's shard, but for
// views. A fault (exception, reported error, out of memory) is Errc::plugin_fault, never a reply, and
// leaves the instance unusable: discard it and rebuild from snapshot and log.
class Machine {
 public:
    virtual ~Machine() = default;

    struct Fault {
        Index index;  // the entry at which it happened
        Error error;
    };
    // Applies all, in order. On a fault, what was sunk for entries before it stands.
    virtual boost::system::result<void, Fault> apply(std::span<const Command> batch,
                                                     ApplySink& sink) = 0;

    virtual Result<Bytes> query(ByteView query) const = 0;
    virtual Result<std::unique_ptr<View>> open_view() = 0;
    // Replaces the state. Pre: a fresh instance. Errc::snapshot_rejected if the bytes are refused.
    virtual Result<void> load(ByteSource& from, std::uint32_t version, Index last) = 0;
    virtual Result<std::string> overview() const = 0;  // small JSON, for operators

    // Text commands that the machine's descriptor declares: "put a 1" to a payload and back.
    virtual Result<Bytes> encode_command(std::span<const std::string> words) const = 0;
    virtual Result<Bytes> encode_query(std::span<const std::string> words) const = 0;
    // A reply as text for people; the words are those that were encoded.
    virtual std::string render_reply(std::span<const std::string> words, ByteView reply) const = 0;
};
// Names a machine and the exact build it comes from.
struct MachineRef {
    std::string plugin;   // plugin id, e.g. "quorate.kv"
    std::string build;    // SHA-256 of the library, hex
    std::string machine;  // machine type within it
    std::uint32_t version = 0;
    friend bool operator==(const MachineRef&, const MachineRef&) = default;
};

// Makes machines. Implemented by the plugin table; by a static one in the simulator and in tests.
// Thread: any.
class MachineFactory {
 public:
    virtual ~MachineFactory() = default;
    // Errc::plugin_not_found, machine_not_found, plugin_refused.
    virtual Result<std::unique_ptr<Machine>> create(const MachineRef& ref, GroupId group) = 0;
    // The builds that hold the same machine of the same plugin and can run this version of it,
    // newest installation first. Quick.
    virtual std::vector<MachineRef> builds_for(const MachineRef& ref) const = 0;
};

}  // namespace quorate::machine
