#include "host/machine/plugin_machine.hpp"

#include "host/machine/static_plugins.hpp"
#include "machine_fixture.hpp"

#include <gtest/gtest.h>

#include <cstring>

QR_DECLARE_STATIC_PLUGIN(probe);
QR_DECLARE_STATIC_PLUGIN(tally_v1);
QR_DECLARE_STATIC_PLUGIN(tally_v2);

namespace quorate::machine {
namespace {

using test::commands;
using test::number;
using test::RecordingSink;

struct CollectingSink : ByteSink {
    std::string bytes;
    Result<void> write(ByteView part) override {
        bytes += as_text(part);
        return {};
    }
};

// Gives a text in pieces of a few bytes.
struct TextSource : ByteSource {
    explicit TextSource(std::string content) : text(std::move(content)) {}
    std::string text;
    Result<std::size_t> read(std::span<std::byte> into) override {
        std::size_t count = std::min({into.size(), text.size(), std::size_t{3}});
        std::memcpy(into.data(), text.data(), count);
        text.erase(0, count);
        return count;
    }
};

class PluginMachineTest : public testing::Test {
 protected:
    PluginMachineTest() { plugins_.add(QR_STATIC_ENTRY(probe)).value(); }
    std::unique_ptr<Machine> make(const std::string& machine = "probe") {
        return std::move(
            plugins_.create(plugins_.resolve("test.probe", machine).value(), GroupId(1)).value());
    }
    static std::string saved(Machine& machine) {
        CollectingSink sink;
        std::atomic<bool> cancel = false;
        EXPECT_TRUE(machine.open_view().value()->save(sink, cancel).has_value());
        return sink.bytes;
    }

    StaticPlugins plugins_;
};

TEST_F(PluginMachineTest, applies_a_batch_in_order) {
    auto machine = make();
    RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"a\1", "n", "a\2"}), sink).has_value());
    ASSERT_TRUE(machine->apply(commands({"a\4"}, 4), sink).has_value());
    ASSERT_TRUE(machine->apply({}, sink).has_value());
    EXPECT_EQ(sink.replies, (std::vector<std::pair<std::size_t, std::string>>{
                                {0, number(1)}, {2, number(3)}, {0, number(7)}}));
    EXPECT_EQ(machine->query(as_bytes("i")).value().text(), number(4)) << "the applied index";
}

TEST_F(PluginMachineTest, hands_on_effects_as_they_are) {
    auto machine = make();
    RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"n", "e"}), sink).has_value());
    ASSERT_EQ(sink.effects.size(), 1U);
    EXPECT_EQ(sink.effects[0].first, 1U);
    qr_effect effect{};
    ASSERT_EQ(sink.effects[0].second.size(), 56U);
    std::memcpy(&effect, sink.effects[0].second.data(), sizeof(effect));
    EXPECT_EQ(effect.kind, QR_EFFECT_TIMER);
    EXPECT_EQ(effect.value, 1500);
    EXPECT_EQ(sink.effects[0].second.substr(48), std::string("alarm\0\0\0", 8));
}

TEST_F(PluginMachineTest, gives_payloads_that_may_be_read_in_place) {
    auto machine = make();
    std::string buffer;
    for (std::size_t offset = 0; offset < 8; ++offset) {
        buffer.assign(offset, '.');
        buffer += "8-aligned?";
        const std::vector<std::string> payloads = {"n", "", "n"};
        std::vector<Command> batch = commands(payloads);
        batch[1].payload = as_bytes(std::string_view(buffer).substr(offset));
        RecordingSink sink;
        ASSERT_TRUE(machine->apply(batch, sink).has_value());
        ASSERT_EQ(sink.replies.size(), 1U);
        EXPECT_EQ(sink.replies[0].second.substr(0, 2), "ye") << offset;
    }
}

TEST_F(PluginMachineTest, faults_at_the_entry_that_the_machine_names) {
    auto machine = make();
    RecordingSink sink;
    auto applied = machine->apply(commands({"a\1", "a\1", "f", "a\1"}, 10), sink);
    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(applied.error().index, Index(12));
    EXPECT_EQ(applied.error().error.code, Errc::plugin_fault);
    EXPECT_NE(applied.error().error.what.find("asked to fail"), std::string::npos);
    EXPECT_NE(applied.error().error.what.find("machine probe of test.probe 1.0.0"),
              std::string::npos);
}

TEST_F(PluginMachineTest, is_unusable_after_a_fault) {
    auto machine = make();
    RecordingSink sink;
    ASSERT_FALSE(machine->apply(commands({"f"}), sink).has_value());
    auto again = machine->apply(commands({"a\1"}, 2), sink);
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().index, Index(2));
    EXPECT_EQ(machine->query(as_bytes("t")).error().code, Errc::plugin_fault);
    EXPECT_EQ(machine->open_view().error().code, Errc::plugin_fault);
    EXPECT_EQ(machine->overview().error().code, Errc::plugin_fault);
}

TEST_F(PluginMachineTest, takes_an_unknown_status_without_a_text_as_a_fault) {
    auto machine = make();
    RecordingSink sink;
    auto applied = machine->apply(commands({"n", "u"}, 5), sink);
    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(applied.error().index, Index(5)) << "no entry is named, so the batch's first";
    EXPECT_NE(applied.error().error.what.find("4711"), std::string::npos);
}

// What breaks the contract, at the third entry of a batch: a fault there, and nothing of it is handed on.
TEST_F(PluginMachineTest, faults_where_a_machine_breaks_the_contract) {
    const std::pair<std::string, const char*> breaches[] = {
        {"2", "answered one entry twice"},
        {"D", "answered one entry twice"},
        {"o", "of a batch of 4"},
        {"b", "went back"},
        {"L", "QR_REPLY_SIZE_MAX"},
        {"0", "its reply is null"},
        {"N", "it is null"},
        {"M", "QR_EFFECTS_PER_ENTRY_MAX"},
        {"xk", "knows no such kind"},
        {"xp", "padding"},
        {"xs", "smaller than its head"},
        {"xm", "multiple of 8"},
        {"xh", "head is too short"},
        {"xK", "QR_KEY_SIZE_MAX"},
        {"xB", "QR_BODY_SIZE_MAX"},
        {"xt", "field that its kind does not have"},
        {"xf", "unknown flag"},
        {"xr", "cannot run where"},
        {"xR", "reserved"},
        {"xn", "negative"},
    };
    for (const auto& [payload, says] : breaches) {
        auto machine = make();
        RecordingSink sink;
        auto applied = machine->apply(commands({"a\1", "a\1", payload, "a\1"}, 20), sink);
        ASSERT_FALSE(applied.has_value()) << payload;
        EXPECT_NE(applied.error().error.what.find(says), std::string::npos)
            << payload << ": " << applied.error().error.what;
        for (const auto& [entry, reply] : sink.replies) EXPECT_LE(entry, 2U) << payload;
        EXPECT_FALSE(machine->query(as_bytes("t")).has_value()) << payload;
    }
}

TEST_F(PluginMachineTest, names_the_entry_of_a_breach) {
    auto machine = make();
    RecordingSink sink;
    auto applied = machine->apply(commands({"a\1", "e", "xk", "a\1"}, 20), sink);
    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(applied.error().index, Index(22));
    EXPECT_EQ(sink.effects.size(), 1U);
}

TEST_F(PluginMachineTest, lets_an_entry_be_answered_later) {
    auto machine = make();
    RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"d"}), sink).has_value());
    EXPECT_TRUE(sink.replies.empty());
    EXPECT_EQ(sink.effects.size(), 1U);
}

// A bug of the host's own in the sink must come back to the host, not end in the plugin's noexcept.
TEST_F(PluginMachineTest, carries_an_exception_of_the_sink_past_the_plugin) {
    struct : ApplySink {
        void reply(std::size_t, ByteView) override { throw std::logic_error("ours"); }
        void effect(std::size_t, ByteView) override {}
    } broken;
    auto machine = make();
    EXPECT_THROW(static_cast<void>(machine->apply(commands({"a\1"}), broken)), std::logic_error);
    RecordingSink sink;
    EXPECT_FALSE(machine->apply(commands({"a\1"}, 2), sink).has_value());
}

TEST_F(PluginMachineTest, survives_queries_that_fail) {
    auto machine = make();
    auto refused = machine->query(as_bytes("r"));
    EXPECT_EQ(refused.error().code, Errc::query_failed);
    EXPECT_NE(refused.error().what.find("no such question"), std::string::npos);
    EXPECT_EQ(machine->query(as_bytes("f")).error().code, Errc::query_failed);
    EXPECT_EQ(machine->query(as_bytes("b")).error().code, Errc::query_failed) << "too large";
    EXPECT_EQ(machine->query(as_bytes("t")).value().text(), number(0));
}

TEST_F(PluginMachineTest, saves_the_state_as_it_was_when_the_view_was_opened) {
    auto machine = make();
    RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"a\1"}), sink).has_value());
    auto view = machine->open_view().value();
    ASSERT_TRUE(machine->apply(commands({"a\1"}, 2), sink).has_value());
    CollectingSink saved_bytes;
    std::atomic<bool> cancel = false;
    ASSERT_TRUE(view->save(saved_bytes, cancel).has_value());
    EXPECT_EQ(saved_bytes.bytes, number(1));
    EXPECT_EQ(saved(*machine), number(2));
}

TEST_F(PluginMachineTest, stops_saving_when_it_is_cancelled) {
    auto machine = make();
    RecordingSink ignored;
    ASSERT_TRUE(machine->apply(commands({"h"}), ignored).has_value());
    auto view = machine->open_view().value();
    std::atomic<bool> cancel = false;
    struct Cancelling : ByteSink {
        std::atomic<bool>& flag;
        int writes = 0;
        explicit Cancelling(std::atomic<bool>& set) : flag(set) {}
        Result<void> write(ByteView) override {
            if (++writes == 5) flag = true;
            return {};
        }
    } sink(cancel);
    EXPECT_EQ(view->save(sink, cancel).error().code, Errc::cancelled);
    EXPECT_EQ(sink.writes, 5);
}

TEST_F(PluginMachineTest, gives_back_the_error_of_a_sink_that_fails) {
    struct : ByteSink {
        Result<void> write(ByteView) override { return fail(Errc::disk_full, "no room"); }
    } full;
    auto machine = make();
    std::atomic<bool> cancel = false;
    auto failed = machine->open_view().value()->save(full, cancel);
    EXPECT_EQ(failed.error().code, Errc::disk_full);
    EXPECT_EQ(failed.error().what, "no room");
}

TEST_F(PluginMachineTest, loads_what_it_saved) {
    auto machine = make();
    RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"a\7"}), sink).has_value());
    auto restored = make();
    TextSource source(saved(*machine));
    ASSERT_TRUE(restored->load(source, 2, Index(1)).has_value());
    EXPECT_EQ(saved(*restored), saved(*machine));
    EXPECT_EQ(restored->query(as_bytes("i")).value().text(), number(1));
}

TEST_F(PluginMachineTest, refuses_a_snapshot_that_the_machine_refuses) {
    for (std::string bytes : {std::string(), std::string("seven b"), std::string(9, 'x')}) {
        auto machine = make();
        TextSource source(bytes);
        auto loaded = machine->load(source, 1, Index(5));
        ASSERT_FALSE(loaded.has_value());
        EXPECT_EQ(loaded.error().code, Errc::snapshot_rejected);
        EXPECT_NE(loaded.error().what.find("8 bytes"), std::string::npos);
        RecordingSink sink;
        EXPECT_FALSE(machine->apply(commands({"a\1"}, 6), sink).has_value());
    }
    TextSource unknown(number(1));
    EXPECT_EQ(make()->load(unknown, 3, Index(5)).error().code, Errc::snapshot_rejected);
}

TEST_F(PluginMachineTest, gives_back_the_error_of_a_source_that_fails) {
    struct : ByteSource {
        Result<std::size_t> read(std::span<std::byte>) override {
            return fail(Errc::corrupt, "chunk 3");
        }
    } broken;
    auto loaded = make()->load(broken, 1, Index(5));
    EXPECT_EQ(loaded.error().code, Errc::corrupt);
    EXPECT_NE(loaded.error().what.find("chunk 3"), std::string::npos);
}

TEST_F(PluginMachineTest, encodes_and_renders_text) {
    auto machine = make();
    std::vector<std::string> add = {"add", "7"};
    Bytes command = machine->encode_command(add).value();
    EXPECT_EQ(command.text(), "a\7");
    EXPECT_EQ(machine->encode_query(std::vector<std::string>{"total"}).value().text(), "t");
    EXPECT_EQ(machine->render_reply(add, as_bytes(number(5))), "5");
    EXPECT_EQ(machine->render_reply(add, as_bytes("plain")), "plain") << "it refuses to render";
    auto wrong = machine->encode_command(std::vector<std::string>{"ad", "7"});
    EXPECT_EQ(wrong.error().code, Errc::command_text_invalid);
    EXPECT_NE(wrong.error().what.find("add DIGIT"), std::string::npos);
    EXPECT_FALSE(machine->encode_command({}).has_value());
}

// Its table ends before the optional functions, and what stands behind it is garbage.
TEST_F(PluginMachineTest, runs_a_machine_that_offers_the_least) {
    auto machine = make("bare");
    RecordingSink sink;
    EXPECT_TRUE(machine->apply(commands({"a\1"}), sink).has_value());
    EXPECT_EQ(machine->query(as_bytes("t")).error().code, Errc::unsupported);
    EXPECT_EQ(machine->overview().value(), "{}");
    EXPECT_EQ(machine->encode_command(std::vector<std::string>{"add"}).error().code,
              Errc::unsupported);
    std::vector<std::string> none;
    EXPECT_EQ(machine->render_reply(none, as_bytes("text")), "text");
    EXPECT_EQ(machine->render_reply(none, as_bytes("\1\xff")), "0x01ff");
    EXPECT_EQ(saved(*machine), number(1));
}

TEST(StaticPlugins, holds_several_and_refuses_one_twice) {
    StaticPlugins plugins;
    ASSERT_TRUE(plugins.add(QR_STATIC_ENTRY(tally_v1)).has_value());
    ASSERT_TRUE(plugins.add(QR_STATIC_ENTRY(tally_v2)).has_value());
    EXPECT_EQ(plugins.add(QR_STATIC_ENTRY(tally_v1)).error().code, Errc::plugin_refused);
    EXPECT_EQ(plugins.loaded().size(), 2U);
    auto answer = [&plugins](const char* plugin) {
        auto machine =
            std::move(plugins.create(plugins.resolve(plugin, "").value(), GroupId(1)).value());
        return std::string(machine->query(as_bytes("version")).value().text());
    };
    EXPECT_EQ(answer("test.tally@1.0.0"), "1.0.0");
    EXPECT_EQ(answer("test.tally"), "2.0.0");
}

TEST(StaticPlugins, names_a_build_alike_in_every_process) {
    StaticPlugins one;
    StaticPlugins other;
    EXPECT_EQ(one.add(QR_STATIC_ENTRY(probe)).value().build,
              other.add(QR_STATIC_ENTRY(probe)).value().build);
}

// The text of a rejection by the SDK, for a machine that says nothing of texts.
TEST(StaticPlugins, render_a_rejection_as_its_code_and_text) {
    StaticPlugins plugins;
    ASSERT_TRUE(plugins.add(QR_STATIC_ENTRY(tally_v1)).has_value());
    auto machine =
        std::move(plugins.create(plugins.resolve("test.tally", "").value(), GroupId(1)).value());
    RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"reject", "x"}), sink).has_value());
    ASSERT_EQ(sink.replies.size(), 2U);
    std::vector<std::string> none;
    EXPECT_EQ(machine->render_reply(none, as_bytes(sink.replies[0].second)),
              "rejected (42): asked to reject");
    EXPECT_EQ(sink.replies[1].second, number(1));
}

const qr_plugin* decline(const qr_host*, qr_error* error) {
    std::strcpy(error->text, "not today");
    return nullptr;
}

TEST(StaticPlugins, say_why_one_declines) {
    auto added = StaticPlugins().add(decline);
    EXPECT_EQ(added.error().code, Errc::plugin_refused);
    EXPECT_NE(added.error().what.find("not today"), std::string::npos);
}

}  // namespace
}  // namespace quorate::machine
