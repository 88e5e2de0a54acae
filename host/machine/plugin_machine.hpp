#pragma once

#include "host/machine/machine.hpp"
#include "host/machine/plugin_tables.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quorate::machine {

// A machine that a plugin implements: calls the plugin's functions, checks what comes back, and
// contains its faults. The batch goes over the boundary in one call.
//
// What was sunk for the entry of a fault, and for any after it, is void: the driver drops it. If
// the plugin names no entry, the fault is at the batch's first; who must know the entry exactly (to
// skip it, say) rebuilds the machine and applies entry by entry.
//
// A query that fails, even by an exception, is the query's failure: whoever may ask must not be
// able to stop a group.
//
// Thread: as Machine. `type` and `host` outlive it.
class PluginMachine : public Machine {
 public:
    // Errc::machine_not_found: the type does not speak `version`; unsupported: a kind that this
    // host does not run; plugin_refused: the plugin's create() failed.
    static Result<std::unique_ptr<Machine>> create(const MachineType& type, const qr_host& host,
                                                   std::uint32_t version, GroupId group);
    ~PluginMachine() override;
    PluginMachine(const PluginMachine&) = delete;
    PluginMachine& operator=(const PluginMachine&) = delete;

    boost::system::result<void, Fault> apply(std::span<const Command> batch,
                                             ApplySink& sink) override;
    Result<Bytes> query(ByteView query) const override;
    Result<std::unique_ptr<View>> open_view() override;
    // Errc::snapshot_rejected, plugin_fault, or the source's own error. Then the instance is only
    // destroyed.
    Result<void> load(ByteSource& from, std::uint32_t version, Index last) override;
    Result<std::string> overview() const override;
    Result<Bytes> encode_command(std::span<const std::string> words) const override;
    Result<Bytes> encode_query(std::span<const std::string> words) const override;
    std::string render_reply(std::span<const std::string> words, ByteView reply) const override;

 private:
    PluginMachine(const MachineType& type, std::uint32_t version, GroupId group)
        : type_(type), version_(version), group_(group) {}

    using Encode = decltype(qr_text::encode_command);
    Result<Bytes> encode(Encode encode, std::span<const std::string> words) const;
    void fill_entries(std::span<const Command> batch);
    Fault break_with(Index index, const std::string& text);
    Error unusable() const;
    Error failure(Errc code, const std::string& text) const;

    const MachineType& type_;
    std::uint32_t version_;
    GroupId group_;
    qr_machine* machine_ = nullptr;
    EntryId applied_;
    std::int64_t time_ms_ = 0;              // of the last applied entry
    bool fresh_ = true;                     // nothing was applied or loaded
    std::string broken_;                    // why it may only be destroyed; empty: it may be used
    std::vector<qr_entry> entries_;         // of the batch in hand, kept for its capacity
    std::vector<std::uint64_t> realigned_;  // payloads that were not 8-byte aligned
};

}  // namespace quorate::machine
