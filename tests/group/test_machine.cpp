#include "tests/group/test_machine.hpp"

#include "host/base/check.hpp"

#include <cstring>
#include <quorate/effect.h>

namespace quorate::testing {
namespace {

constexpr std::size_t chunk = 100;  // bytes of a snapshot written at once

// Bytes that do not compress, the same each time.
std::string noise(std::size_t count) {
    std::string bytes(count, ' ');
    std::uint64_t state = 1;
    for (char& byte : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<char>(state >> 56);
    }
    return bytes;
}

class TestView final : public machine::View {
 public:
    TestView(TestMachine::State state, std::shared_ptr<MachineControls> controls)
        : state_(std::move(state)), controls_(std::move(controls)) {
        ++controls_->views_open;
        ++controls_->views_opened;
    }
    ~TestView() override { --controls_->views_open; }

    Result<void> save(machine::ByteSink& into, const std::atomic<bool>& cancel) const override {
        std::string bytes = std::to_string(state_.time_ms) + "\n";
        for (const std::string& command : state_.commands) bytes += command + "\n";
        bytes += "\n" + noise(controls_->save_pad);
        for (std::size_t at = 0; at < bytes.size(); at += chunk) {
            if (cancel) return fail(Errc::cancelled, "told to stop");
            TRY_VOID(into.write(as_bytes(std::string_view(bytes).substr(at, chunk))));
        }
        return {};
    }

 private:
    TestMachine::State state_;
    std::shared_ptr<MachineControls> controls_;
};

void emit_effect(std::size_t entry, std::string_view body, machine::ApplySink& sink) {
    std::vector<std::byte> record(qr_effect_size(0, static_cast<std::uint32_t>(body.size())));
    qr_effect head{};
    head.size = static_cast<std::uint32_t>(record.size());
    head.head = sizeof head;
    head.kind = QR_EFFECT_AUX;
    head.body_size = static_cast<std::uint32_t>(body.size());
    std::memcpy(record.data(), &head, sizeof head);
    std::memcpy(record.data() + sizeof head, body.data(), body.size());
    sink.effect(entry, record);
}

}  // namespace

boost::system::result<void, machine::Machine::Fault> TestMachine::apply(
    std::span<const machine::Command> batch, machine::ApplySink& sink) {
    controls_->batches.push_back(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        Index index = batch[i].id.index;
        CHECK(!controls_->invariants.contains(index), "a test asked for it");
        bool faults = controls_->faults.contains(index) && !controls_->repaired.contains(build_);
        if (faults || controls_->faults_once.erase(index) > 0) {
            state_.commands.push_back("HALF");  // nobody may ever see it
            return Fault{index, fail(Errc::plugin_fault, "a test asked for it")};
        }
        apply_one(i, batch[i], sink);
    }
    return {};
}

void TestMachine::apply_one(std::size_t entry, const machine::Command& command,
                            machine::ApplySink& sink) {
    CHECK(command.time_ms >= state_.time_ms, "the clock went back");
    std::string text(as_text(command.payload));
    state_.commands.push_back(text);
    state_.time_ms = command.time_ms;
    if (text.starts_with("effect")) emit_effect(entry, text, sink);
    if (text.starts_with("quiet")) return;
    std::string reply = std::to_string(state_.commands.size()) + ":" + text;
    if (controls_->deviant.contains(build_)) reply += " (deviant)";
    sink.reply(entry, as_bytes(reply));
}

Result<Bytes> TestMachine::query(ByteView query) const {
    std::string_view text = as_text(query);
    if (text == "count") return Bytes::take(std::to_string(state_.commands.size()));
    if (text == "time") return Bytes::take(std::to_string(state_.time_ms));
    if (text == "throw") return fail(Errc::query_failed, "the machine threw");
    std::string all;
    for (const std::string& command : state_.commands) all += (all.empty() ? "" : ",") + command;
    return Bytes::take(std::move(all));
}

Result<std::unique_ptr<machine::View>> TestMachine::open_view() {
    return std::unique_ptr<machine::View>(std::make_unique<TestView>(state_, controls_));
}

Result<void> TestMachine::load(machine::ByteSource& from, std::uint32_t, Index) {
    std::string bytes;
    std::byte buffer[77];
    for (;;) {
        TRY(std::size_t count, from.read(buffer));
        if (count == 0) break;
        bytes += as_text(ByteView(buffer, count));
    }
    if (controls_->rejects_snapshots) return fail(Errc::snapshot_rejected, "a test asked for it");
    std::size_t at = bytes.find('\n');
    state_.time_ms = std::stoll(bytes.substr(0, at));
    for (++at; bytes[at] != '\n';) {
        std::size_t end = bytes.find('\n', at);
        state_.commands.push_back(bytes.substr(at, end - at));
        at = end + 1;
    }
    return {};
}

Result<Bytes> TestMachine::encode_command(std::span<const std::string> words) const {
    if (words.empty()) return fail(Errc::command_text_invalid, "no words");
    return Bytes::copy_of(words[0]);
}

Result<Bytes> TestMachine::encode_query(std::span<const std::string> words) const {
    return encode_command(words);
}

std::string TestMachine::render_reply(std::span<const std::string>, ByteView reply) const {
    return std::string(as_text(reply));
}

Result<std::unique_ptr<machine::Machine>> TestMachines::create(const machine::MachineRef& ref,
                                                               GroupId) {
    if (!controls_->installed) return fail(Errc::plugin_not_found, "the build is not installed");
    ++controls_->created;
    return std::unique_ptr<machine::Machine>(std::make_unique<TestMachine>(controls_, ref.build));
}

std::vector<machine::MachineRef> TestMachines::builds_for(const machine::MachineRef& ref) const {
    std::vector<machine::MachineRef> builds;
    for (const std::string& build : controls_->builds) {
        builds.push_back(ref);
        builds.back().build = build;
    }
    return builds;
}

}  // namespace quorate::testing
