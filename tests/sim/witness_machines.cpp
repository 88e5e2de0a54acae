#include "tests/sim/witness_machines.hpp"

#include <vector>

namespace quorate::sim {
namespace {

// Keeps what the machine replies to each entry of a batch, and hands it on.
class ListeningSink final : public machine::ApplySink {
 public:
    ListeningSink(machine::ApplySink& next, std::size_t entries) : next_(next), replies_(entries) {}
    void reply(std::size_t entry, ByteView bytes) override {
        if (entry < replies_.size()) replies_[entry] = std::string(as_text(bytes));
        next_.reply(entry, bytes);
    }
    void effect(std::size_t entry, ByteView record) override { next_.effect(entry, record); }
    const std::string& reply_of(std::size_t entry) const { return replies_[entry]; }

 private:
    machine::ApplySink& next_;
    std::vector<std::string> replies_;
};

class WitnessMachine final : public machine::Machine {
 public:
    WitnessMachine(std::unique_ptr<machine::Machine> machine, Witness& witness, GroupId group,
                   std::string host)
        : machine_(std::move(machine)),
          witness_(witness),
          group_(group),
          host_(std::move(host)),
          life_(witness.next_life()) {}

    boost::system::result<void, Fault> apply(std::span<const machine::Command> batch,
                                             machine::ApplySink& sink) override {
        ListeningSink listening(sink, batch.size());
        auto result = machine_->apply(batch, listening);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            witness_.applied({group_, host_, life_, batch[i].id, as_text(batch[i].payload),
                              listening.reply_of(i)});
        }
        if (result.has_error())
            witness_.report("the machine faulted: " + result.error().error.what);
        return result;
    }
    Result<Bytes> query(ByteView query) const override { return machine_->query(query); }
    Result<std::unique_ptr<machine::View>> open_view() override { return machine_->open_view(); }
    Result<void> load(machine::ByteSource& from, std::uint32_t version, Index last) override {
        auto result = machine_->load(from, version, last);
        witness_.loaded(life_, last);
        ++witness_.reach.snapshots_loaded;
        return result;
    }
    Result<std::string> overview() const override { return machine_->overview(); }
    Result<Bytes> encode_command(std::span<const std::string> words) const override {
        return machine_->encode_command(words);
    }
    Result<Bytes> encode_query(std::span<const std::string> words) const override {
        return machine_->encode_query(words);
    }
    std::string render_reply(std::span<const std::string> words, ByteView reply) const override {
        return machine_->render_reply(words, reply);
    }

 private:
    std::unique_ptr<machine::Machine> machine_;
    Witness& witness_;
    GroupId group_;
    std::string host_;
    std::uint64_t life_;
};

}  // namespace

Result<std::unique_ptr<machine::Machine>> WitnessMachines::create(const machine::MachineRef& ref,
                                                                  GroupId group) {
    TRY(auto made, plugins_.create(ref, group));
    return std::unique_ptr<machine::Machine>(
        std::make_unique<WitnessMachine>(std::move(made), witness_, group, host_));
}

std::vector<group::PluginSummary> SimPlugins::list() {
    std::vector<group::PluginSummary> list;
    for (const machine::PluginRecord& record : plugins_.loaded()) {
        group::PluginSummary summary;
        summary.id = record.manifest.id;
        summary.version = record.manifest.version;
        summary.build = record.build;
        list.push_back(std::move(summary));
    }
    return list;
}

}  // namespace quorate::sim
