#include "host/machine/plugin_table.hpp"

#include "host/base/log.hpp"
#include "machine_fixture.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <tuple>

namespace quorate::machine {
namespace {

using test::commands;
using test::fixture;
using test::number;

class PluginTableTest : public testing::Test {
 protected:
    void SetUp() override { restart(); }
    void restart() {
        table_.reset();
        store_ = std::move(PluginStore::open(directory_.path() / "plugins").value());
        table_ = std::make_unique<PluginTable>(*store_, HostProgram{.version = "0.0.test"});
    }
    Result<PluginRecord> install(const std::string& name) {
        return table_->install(as_bytes(fixture(name)));
    }
    std::unique_ptr<Machine> make(const std::string& plugin, const std::string& machine = "",
                                  std::uint64_t group = 1) {
        return std::move(
            table_->create(table_->resolve(plugin, machine).value(), GroupId(group)).value());
    }
    static std::string answer(const Machine& machine, const std::string& question) {
        return std::string(machine.query(as_bytes(question)).value().text());
    }

    test::TemporaryDirectory directory_;
    std::unique_ptr<PluginStore> store_;
    std::unique_ptr<PluginTable> table_;
};

TEST_F(PluginTableTest, loads_a_plugin_in_c_and_runs_its_machine) {
    ASSERT_TRUE(install("probe").has_value());
    auto machine = make("test.probe", "probe");
    test::RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"a\5", "a\3"}), sink).has_value());
    ASSERT_EQ(sink.replies.size(), 2U);
    EXPECT_EQ(sink.replies[1].second, number(8));
    EXPECT_EQ(answer(*machine, "t"), number(8));
}

TEST_F(PluginTableTest, loads_a_plugin_in_cpp_and_runs_its_machine) {
    ASSERT_TRUE(install("tally_v1").has_value());
    auto machine = make("test.tally");
    test::RecordingSink sink;
    ASSERT_TRUE(machine->apply(commands({"x", "y"}), sink).has_value());
    EXPECT_EQ(answer(*machine, "value"), number(2));
}

TEST_F(PluginTableTest, runs_two_versions_side_by_side) {
    PluginRecord v1 = install("tally_v1").value();
    auto first = make("test.tally");
    PluginRecord v2 = install("tally_v2").value();
    auto second = make("test.tally");
    auto third = make("test.tally@1.0.0");
    for (Machine* machine : {first.get(), second.get(), third.get()}) {
        test::RecordingSink sink;
        ASSERT_TRUE(machine->apply(commands({"x"}), sink).has_value());
    }
    EXPECT_EQ(answer(*first, "version"), "1.0.0");
    EXPECT_EQ(answer(*first, "value"), number(1));
    EXPECT_EQ(answer(*second, "version"), "2.0.0");
    EXPECT_EQ(answer(*second, "value"), number(100));
    EXPECT_EQ(answer(*third, "version"), "1.0.0");
    EXPECT_EQ(table_->resolve(v1.build, "").value().build, v1.build);
    EXPECT_EQ(table_->loaded().size(), 2U);
    EXPECT_EQ(table_->loaded().front().build, v2.build);
}

// A static of the image counts instances: version 2 must not go on where version 1 stopped.
TEST_F(PluginTableTest, keeps_the_statics_of_two_versions_apart) {
    ASSERT_TRUE(install("tally_v1").has_value());
    auto one = make("test.tally");
    auto two = make("test.tally");
    ASSERT_TRUE(install("tally_v2").has_value());
    auto other = make("test.tally");
    auto number_of = [](const Machine& machine) {
        std::int32_t value = 0;
        std::memcpy(&value, answer(machine, "number").data(), sizeof(value));
        return value;
    };
    EXPECT_EQ(number_of(*two), number_of(*one) + 1);
    EXPECT_EQ(number_of(*other), 1);
}

TEST_F(PluginTableTest, runs_the_machines_that_ship_by_their_text_commands) {
    const std::tuple<const char*, const char*, std::vector<std::string>, std::vector<std::string>>
        cases[] = {{COUNTER_PLUGIN, "quorate.counter", {"add", "5"}, {"get"}},
                   {KV_PLUGIN, "quorate.kv", {"put", "key", "5"}, {"get", "key"}}};
    for (const auto& [file, id, command, query] : cases) {
        auto installed = table_->install(as_bytes(test::read_file(file)));
        ASSERT_TRUE(installed.has_value()) << to_string(installed.error());
        auto machine = make(id);
        Bytes payload = machine->encode_command(command).value();
        Command entry{.id = {Term(1), Index(1)}, .payload = payload.view()};
        test::RecordingSink sink;
        ASSERT_TRUE(machine->apply({&entry, 1}, sink).has_value()) << id;
        ASSERT_EQ(sink.replies.size(), 1U) << id;
        Bytes reply = machine->query(machine->encode_query(query).value().view()).value();
        EXPECT_NE(machine->render_reply(query, reply.view()).find('5'), std::string::npos) << id;
        EXPECT_TRUE(machine->overview().has_value()) << id;
    }
}

struct Refusal {
    const char* fixture;
    Errc code;
    const char* says;
};

// One clear error each, nothing kept, and the host goes on.
TEST_F(PluginTableTest, refuses_every_kind_of_misfit_with_an_error_of_its_own) {
    const Refusal refusals[] = {
        {"missing_symbol", Errc::plugin_symbol_missing, "quorate_test_symbol_that_nobody_defines"},
        {"needs_library", Errc::plugin_symbol_missing, "libmachine_dependency.so"},
        {"no_entry", Errc::plugin_symbols_leak, "quorate_test_entry"},
        {"silent", Errc::plugin_symbol_missing, "does not export qr_plugin_entry_v1"},
        {"leak", Errc::plugin_symbols_leak, "quorate_test_leaked"},
        {"leaking_cpp", Errc::plugin_symbols_leak, "exports more than"},
        {"unique", Errc::plugin_symbols_leak, "_ZN6SharedIiE4usesE"},
        {"no_note", Errc::plugin_not_a_plugin, "without a manifest note"},
        {"bad_json", Errc::plugin_not_a_plugin, "not JSON"},
        {"note_abi", Errc::plugin_abi, "ABI 2.0, but this host has 1.0"},
        {"table_abi", Errc::plugin_abi, "ABI 9.0, but this host has 1.0"},
        {"entry_v2", Errc::plugin_abi, "qr_plugin_entry_v2"},
        {"requires", Errc::plugin_abi, "quorate.flux/1"},
        {"outside", Errc::plugin_pointer_outside, "machine 0.destroy"},
        {"heap", Errc::plugin_pointer_outside, "table that its entry returned"},
        {"no_apply", Errc::plugin_refused, "apply is missing"},
        {"two_alike", Errc::plugin_refused, "called m"},
        {"no_machines", Errc::plugin_refused, "0 machines"},
        {"other_id", Errc::plugin_refused, "test.other"},
        {"declines", Errc::plugin_refused, "entry function declined: no"},
        {"load_refuses", Errc::plugin_refused, "load function declined: no"},
        {"throws_in_entry", Errc::plugin_refused, "entry threw"},
    };
    ASSERT_TRUE(install("probe").has_value());
    for (const Refusal& refusal : refusals) {
        auto installed = install(refusal.fixture);
        ASSERT_FALSE(installed.has_value()) << refusal.fixture;
        EXPECT_EQ(installed.error().code, refusal.code)
            << refusal.fixture << ": " << to_string(installed.error());
        EXPECT_NE(installed.error().what.find(refusal.says), std::string::npos)
            << refusal.fixture << ": " << to_string(installed.error());
        EXPECT_EQ(store_->list().size(), 1U) << refusal.fixture;
    }
    EXPECT_EQ(table_->loaded().size(), 1U);
    EXPECT_EQ(answer(*make("test.probe", "probe"), "t"), number(0));
}

TEST_F(PluginTableTest, loads_again_after_a_restart_what_was_installed) {
    ASSERT_TRUE(install("probe").has_value());
    ASSERT_TRUE(install("tally_v1").has_value());
    restart();
    EXPECT_TRUE(table_->loaded().empty());
    EXPECT_TRUE(table_->load_all().empty());
    EXPECT_EQ(table_->loaded().size(), 2U);
    EXPECT_EQ(answer(*make("test.probe", "probe"), "t"), number(0));
}

TEST_F(PluginTableTest, loads_the_others_when_one_is_damaged) {
    PluginRecord damaged = install("probe").value();
    ASSERT_TRUE(install("tally_v1").has_value());
    restart();
    auto path = directory_.path() / "plugins" / (damaged.build + ".so");
    std::string bytes = test::read_file(path);
    bytes[bytes.size() - 1] = static_cast<char>(bytes[bytes.size() - 1] ^ 1);
    test::write_file(path, bytes);
    std::vector<Error> errors = table_->load_all();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors.front().code, Errc::corrupt);
    EXPECT_EQ(table_->loaded().size(), 1U);
    EXPECT_TRUE(install("probe").has_value());
    EXPECT_EQ(table_->loaded().size(), 2U);
}

TEST_F(PluginTableTest, loads_a_build_only_once) {
    PluginRecord record = install("probe").value();
    EXPECT_EQ(install("probe").value(), record);
    EXPECT_EQ(table_->load(record.build).value(), record);
    EXPECT_EQ(table_->loaded().size(), 1U);
    EXPECT_EQ(table_->load(std::string(64, 'a')).error().code, Errc::plugin_not_found);
}

TEST_F(PluginTableTest, makes_only_what_is_named_exactly) {
    ASSERT_TRUE(install("probe").has_value());
    MachineRef ref = table_->resolve("test.probe", "probe").value();
    EXPECT_EQ(ref.version, 2U);
    auto code = [this](MachineRef changed) {
        auto made = table_->create(changed, GroupId(1));
        return made.has_value() ? Errc{} : made.error().code;
    };
    EXPECT_EQ(code(ref), Errc{});
    MachineRef other = ref;
    other.build = std::string(64, '0');
    EXPECT_EQ(code(other), Errc::plugin_not_found);
    other = ref;
    other.plugin = "test.other";
    EXPECT_EQ(code(other), Errc::plugin_not_found);
    other = ref;
    other.machine = "nothing";
    EXPECT_EQ(code(other), Errc::machine_not_found);
    other = ref;
    other.version = 3;
    EXPECT_EQ(code(other), Errc::machine_not_found);
    other.version = 0;
    EXPECT_EQ(code(other), Errc::machine_not_found);
    other = {.plugin = ref.plugin, .build = ref.build, .machine = "stored", .version = 1};
    EXPECT_EQ(code(other), Errc::unsupported);
}

TEST_F(PluginTableTest, resolves_a_machine_by_name_or_as_the_only_one) {
    ASSERT_TRUE(install("probe").has_value());
    ASSERT_TRUE(install("tally_v1").has_value());
    EXPECT_EQ(table_->resolve("test.tally", "").value().machine, "tally");
    EXPECT_EQ(table_->resolve("test.probe", "").error().code, Errc::machine_not_found);
    EXPECT_EQ(table_->resolve("test.probe", "no").error().code, Errc::machine_not_found);
    EXPECT_EQ(table_->resolve("test.none", "").error().code, Errc::plugin_not_found);
}

TEST_F(PluginTableTest, lists_the_builds_that_run_a_machine_newest_installation_first) {
    PluginRecord two = install("tally_v2").value();
    PluginRecord one = install("tally_v1").value();
    ASSERT_TRUE(install("probe").has_value());
    MachineRef ref = table_->resolve("test.tally@2.0.0", "").value();
    auto builds = table_->builds_for(ref);
    ASSERT_EQ(builds.size(), 2U);
    EXPECT_EQ(builds[0].build, one.build);
    EXPECT_EQ(builds[1], ref) << two.build;
    for (std::uint32_t version : {0U, 2U}) {
        MachineRef other = ref;
        other.version = version;
        EXPECT_TRUE(table_->builds_for(other).empty()) << version;
    }
    MachineRef other = ref;
    other.machine = "nothing";
    EXPECT_TRUE(table_->builds_for(other).empty());
    MachineRef probe = table_->resolve("test.probe", "probe").value();
    probe.version = 1;  // of 1 to 2
    EXPECT_EQ(table_->builds_for(probe).size(), 1U);
}

TEST_F(PluginTableTest, says_why_a_machine_was_not_created) {
    ASSERT_TRUE(install("probe").has_value());
    auto made = table_->create(table_->resolve("test.probe", "probe").value(), GroupId(13));
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, Errc::plugin_refused);
    EXPECT_NE(made.error().what.find("unlucky group"), std::string::npos);
    ASSERT_TRUE(install("throws_in_create").has_value());
    auto thrown = table_->create(table_->resolve("test.throws_in_create", "").value(), GroupId(1));
    ASSERT_FALSE(thrown.has_value());
    EXPECT_EQ(thrown.error().code, Errc::plugin_refused);
    EXPECT_NE(thrown.error().what.find("create threw"), std::string::npos);
}

TEST_F(PluginTableTest, leaves_other_machines_alone_when_one_throws) {
    ASSERT_TRUE(install("tally_v1").has_value());
    auto bad = make("test.tally", "", 1);
    auto good = make("test.tally", "", 2);
    test::RecordingSink sink;
    auto applied = bad->apply(commands({"x", "x", "throw", "x"}, 40), sink);
    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(applied.error().index, Index(42));
    EXPECT_EQ(applied.error().error.code, Errc::plugin_fault);
    EXPECT_NE(applied.error().error.what.find("asked to throw"), std::string::npos);
    EXPECT_EQ(sink.replies.size(), 2U);
    EXPECT_EQ(bad->query(as_bytes("value")).error().code, Errc::plugin_fault);

    test::RecordingSink other;
    EXPECT_TRUE(good->apply(commands({"x"}), other).has_value());
    EXPECT_EQ(answer(*good, "value"), number(1));
}

// A plugin without the SDK's thunks: the exception leaves its C function.
TEST_F(PluginTableTest, catches_exceptions_that_leave_a_plugin) {
    ASSERT_TRUE(install("thrower").has_value());
    auto machine = make("test.thrower");
    EXPECT_EQ(machine->query({}).error().code, Errc::query_failed);
    auto view = machine->open_view().value();
    struct : ByteSink {
        Result<void> write(ByteView) override { return {}; }
    } nowhere;
    auto saved = view->save(nowhere, std::atomic<bool>(false));
    EXPECT_EQ(saved.error().code, Errc::plugin_fault);
    EXPECT_NE(saved.error().what.find("save threw"), std::string::npos);
    test::RecordingSink sink;
    auto applied = machine->apply(commands({"x", "", "y"}, 7), sink);
    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(applied.error().index, Index(7)) << "it names no entry, so the batch's first";
    EXPECT_NE(applied.error().error.what.find("not a std::exception"), std::string::npos);
}

TEST_F(PluginTableTest, writes_what_a_plugin_says_into_the_log) {
    std::vector<std::string> lines;
    log::set_sink([&lines](const log::Event& event) {
        if (event.name == "plugin_says") lines.emplace_back(event.text);
    });
    EXPECT_TRUE(install("probe").has_value());
    log::set_sink({});
    EXPECT_EQ(lines, std::vector<std::string>{"probe is loaded"});
}

TEST_F(PluginTableTest, makes_machines_on_other_threads_while_it_loads) {
    ASSERT_TRUE(install("probe").has_value());
    MachineRef ref = table_->resolve("test.probe", "probe").value();
    std::atomic<int> made{0};
    std::vector<std::jthread> shards;
    for (int shard = 0; shard < 2; ++shard) {
        shards.emplace_back([this, &ref, &made] {
            for (std::uint64_t group = 100; group < 300; ++group) {
                auto machine = table_->create(ref, GroupId(group));
                test::RecordingSink sink;
                if (machine.value()->apply(commands({"a\1"}), sink).has_value()) ++made;
            }
        });
    }
    for (const char* name : {"tally_v1", "tally_v2", "thrower"}) {
        EXPECT_TRUE(install(name).has_value());
    }
    shards.clear();
    EXPECT_EQ(made.load(), 400);
    EXPECT_EQ(table_->loaded().size(), 4U);
}

}  // namespace
}  // namespace quorate::machine
