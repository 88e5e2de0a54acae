#pragma once

#include "host/machine/machine.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quorate::testing {

// What a test may do to the machines of one host, and see of them.
struct MachineControls {
    bool installed = true;                     // false: plugin_not_found
    std::set<Index> faults;                    // applying this entry faults, each time
    std::set<Index> faults_once;               // the first time only
    std::set<Index> invariants;                // applying this entry throws BrokenInvariant
    std::vector<std::string> builds{"build"};  // installed, newest first
    std::set<std::string> repaired;            // builds that `faults` do not touch
    std::set<std::string> deviant;             // builds that answer every command in another way
    bool rejects_snapshots = false;
    std::size_t save_pad = 0;          // bytes that every snapshot carries beside its state
    std::vector<std::size_t> batches;  // commands in each apply()
    int created = 0;
    int views_open = 0;
    int views_opened = 0;  // ever
};

// A machine that remembers every command in order. A command's reply is its number, a colon and its
// text; "quiet..." gets none, "effect..." also emits an effect. Queries: "all" (the commands, joined
// by commas), "count", "time" (of the last one), "throw".
class TestMachine final : public machine::Machine {
 public:
    TestMachine(std::shared_ptr<MachineControls> controls, std::string build)
        : controls_(std::move(controls)), build_(std::move(build)) {}

    boost::system::result<void, Fault> apply(std::span<const machine::Command> batch,
                                             machine::ApplySink& sink) override;
    Result<Bytes> query(ByteView query) const override;
    Result<std::unique_ptr<machine::View>> open_view() override;
    Result<void> load(machine::ByteSource& from, std::uint32_t version, Index last) override;
    Result<std::string> overview() const override { return std::string("{}"); }
    Result<Bytes> encode_command(std::span<const std::string> words) const override;
    Result<Bytes> encode_query(std::span<const std::string> words) const override;
    std::string render_reply(std::span<const std::string> words, ByteView reply) const override;

    struct State {
        std::vector<std::string> commands;
        std::int64_t time_ms = 0;
    };

 private:
    void apply_one(std::size_t entry, const machine::Command& command, machine::ApplySink& sink);

    std::shared_ptr<MachineControls> controls_;
    std::string build_;
    State state_;
};

class TestMachines final : public machine::MachineFactory {
 public:
    explicit TestMachines(std::shared_ptr<MachineControls> controls)
        : controls_(std::move(controls)) {}
    Result<std::unique_ptr<machine::Machine>> create(const machine::MachineRef& ref,
                                                     GroupId group) override;
    std::vector<machine::MachineRef> builds_for(const machine::MachineRef& ref) const override;

 private:
    std::shared_ptr<MachineControls> controls_;
};

}  // namespace quorate::testing
