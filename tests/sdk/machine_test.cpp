// What the C++ wrapper makes of a machine class.
#define QUORATE_STATIC everything
#include <gtest/gtest.h>

#include <quorate/machine.hpp>
#include <quorate/testkit_checks.hpp>
#include <thread>

namespace {

using namespace std::chrono_literals;
using quorate::Kind;
using quorate::testkit::Effect;
using quorate::testkit::Entry;
using quorate::testkit::Fault;
using quorate::testkit::Instance;
using quorate::testkit::Outcome;
using quorate::testkit::Refused;

// Does what its command says, one of everything.
struct Everything {
    static constexpr const char* name = "everything";
    static constexpr std::uint32_t version = 3;
    static constexpr std::uint32_t version_min = 2;

    explicit Everything(const quorate::Setup& setup) : log(setup.config()) {
        if (setup.config() == "bad") quorate::reject(4, "the configuration is bad");
    }
    std::string log;

    void apply(quorate::Command c, quorate::Effects& fx) {
        std::string_view word = c.bytes();
        log += word;
        if (word == "reply") return fx.reply("answer");
        if (word == "twice") return fx.reply("one"), fx.reply("two");
        if (word == "reject") quorate::reject(17, "seventeen");
        if (word == "throw") throw std::runtime_error("broken at last");
        if (word == "int") throw 42;
        if (word == "memory") throw std::bad_alloc();
        if (word == "time") return fx.reply(c.time_ms());
        if (word == "version") return fx.reply(c.machine_version());
        if (word == "defer") return fx.defer();
        if (word == "group") return fx.monitor_group("other");
        if (word == "effects") emit_all(c, fx);
    }
    static void emit_all(quorate::Command c, quorate::Effects& fx) {
        const std::uint64_t indexes[] = {3, 5};
        fx.reply_to(1, "late");
        fx.send(7, "hello", quorate::Run::local);
        fx.timer("soon", 50ms);
        fx.timer_at("then", c.time_ms() + 20);
        fx.cancel_timer("never");
        fx.append("again", quorate::Priority::low);
        fx.try_append("perhaps");
        fx.monitor_session(7);
        fx.demonitor_session(7);
        fx.aux("note", quorate::Run::all);
        fx.read_log(indexes, 99);
        fx.send_log(7, indexes, 98);
        fx.release_cursor(c.index(), {.written = 4, .flags = QR_WHEN_NO_SNAPSHOT_SENDS});
        fx.checkpoint(c.index());
        fx.promote_checkpoint(2);
        fx.trim_memory();
        fx.background("dig");
    }
    void on_timer(quorate::Command c, quorate::Effects& fx) {
        log += "!";
        fx.reply(c.bytes());
    }
    void on_session_down(quorate::Command c, quorate::Effects& fx) { fx.reply(c.session()); }
    void query(std::string_view question, quorate::Writer out) const {
        if (question.empty()) quorate::reject_malformed("ask something");
        out.write(log);
    }
    void save(quorate::Writer out) const { out.put_string(log); }
    void load(quorate::Reader in, std::uint32_t from_version) {
        log = in.get_string();
        if (from_version < version) log += "+";
    }
    void upgrade(quorate::Upgrade step, quorate::Effects& fx) {
        log += "^" + std::to_string(step.from) + std::to_string(step.to);
        fx.append("upgraded");
    }
    std::string overview() const { return "{\"log\":" + std::to_string(log.size()) + "}"; }
};

}  // namespace

QUORATE_PLUGIN(Everything, "test.plugin", "1.0.0");

namespace {

constexpr qr_plugin_entry everything = QR_STATIC_ENTRY(everything);

TEST(Machine, tables_say_what_the_class_says) {
    Instance machine(everything);
    EXPECT_STREQ(machine.type().name, "everything");
    EXPECT_EQ(machine.type().version_min, 2u);
    EXPECT_EQ(machine.type().version_max, 3u);
    EXPECT_EQ(machine.type().kind, static_cast<std::uint32_t>(QR_MEMORY));
    EXPECT_NE(machine.type().flags & QR_CANONICAL_SNAPSHOT, 0u);
    EXPECT_EQ(machine.type().hash, nullptr);
    EXPECT_EQ(machine.overview(), "{\"log\":0}");
}

TEST(Machine, sees_its_configuration_and_may_refuse_it) {
    EXPECT_EQ(Instance(everything, {.config = "warm"}).query("?"), "warm");
    EXPECT_THROW(Instance(everything, {.config = "bad"}), Refused);
}

TEST(Machine, replies_once_or_not_at_all) {
    Instance machine(everything);
    EXPECT_EQ(machine.submit("reply").reply, "answer");
    EXPECT_EQ(machine.submit("nothing").replies, 0u);
    EXPECT_THROW(machine.submit("twice"), Fault);
}

TEST(Machine, a_rejection_is_a_reply_and_the_batch_goes_on) {
    Instance machine(everything);
    std::vector<Outcome> outcomes = machine.deliver({{"reject"}, {"reply"}});
    EXPECT_EQ(outcomes[0].rejection().code, 17);
    EXPECT_EQ(outcomes[0].rejection().text, "seventeen");
    EXPECT_EQ(outcomes[1].rejection().code, 0);
    EXPECT_EQ(outcomes[1].reply, "answer");
}

TEST(Machine, any_other_exception_is_a_fault_that_names_the_entry) {
    const std::pair<const char*, const char*> cases[] = {
        {"throw", "broken at last"},
        {"int", "an exception that is not a std::exception"},
        {"memory", "out of memory"}};
    for (auto [word, text] : cases) {
        Instance machine(everything);
        machine.submit("fine");
        try {
            machine.deliver({{"fine"}, {word}, {"fine"}});
            ADD_FAILURE() << word << " was no fault";
        } catch (const Fault& fault) {
            EXPECT_STREQ(fault.what(), text);
            EXPECT_EQ(fault.index(), 3u);
        }
    }
}

TEST(Machine, sees_the_log_entrys_time_and_the_version_in_force) {
    Instance machine(everything, {.version = 2});
    machine.advance(5);
    EXPECT_EQ(machine.submit("time").as<std::int64_t>(), machine.time_ms());
    EXPECT_EQ(machine.submit("version").as<std::uint32_t>(), 2u);
    machine.upgrade(2, 3);
    EXPECT_EQ(machine.submit("version").as<std::uint32_t>(), 3u);
    EXPECT_EQ(machine.query("?"), "timeversion^23version");
}

TEST(Machine, every_effect_arrives_as_it_was_asked_for) {
    Instance machine(everything);
    std::int64_t now = machine.time_ms();
    std::string indexes("\3\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0", 16);
    std::vector<Effect> expected = {
        {.kind = QR_EFFECT_REPLY_TO, .body = "late", .target = 1},
        {.kind = QR_EFFECT_SEND, .flags = QR_RUN_LOCAL, .body = "hello", .target = 7},
        {.kind = QR_EFFECT_TIMER, .key = "soon", .value = 50},
        {.kind = QR_EFFECT_TIMER_AT, .key = "then", .value = now + 20},
        {.kind = QR_EFFECT_TIMER_CANCEL, .key = "never"},
        {.kind = QR_EFFECT_APPEND, .flags = QR_APPEND_LOW_PRIORITY, .body = "again"},
        {.kind = QR_EFFECT_TRY_APPEND, .body = "perhaps"},
        {.kind = QR_EFFECT_MONITOR, .target = 7, .value = QR_WATCH_SESSION},
        {.kind = QR_EFFECT_DEMONITOR, .target = 7, .value = QR_WATCH_SESSION},
        {.kind = QR_EFFECT_AUX, .flags = QR_RUN_ALL, .body = "note"},
        {.kind = QR_EFFECT_READ_LOG, .body = indexes, .token = 99},
        {.kind = QR_EFFECT_SEND_LOG, .body = indexes, .target = 7, .token = 98},
        {.kind = QR_EFFECT_RELEASE_CURSOR,
         .flags = QR_WHEN_WRITTEN | QR_WHEN_NO_SNAPSHOT_SENDS,
         .target = 1,
         .value = 4},
        {.kind = QR_EFFECT_CHECKPOINT, .target = 1},
        {.kind = QR_EFFECT_PROMOTE_CHECKPOINT, .target = 2},
        {.kind = QR_EFFECT_TRIM_MEMORY},
        {.kind = QR_EFFECT_BACKGROUND, .body = "dig"},
    };
    std::vector<Effect> got = machine.submit("effects").effects;
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], expected[i]) << "effect " << i;
}

TEST(Machine, a_deferred_reply_is_an_effect_and_no_reply) {
    Outcome outcome = Instance(everything).submit("defer");
    EXPECT_EQ(outcome.replies, 0u);
    ASSERT_EQ(outcome.effects.size(), 1u);
    EXPECT_EQ(outcome.effects[0].kind, QR_EFFECT_DEFER);
}

TEST(Machine, timers_fire_in_order_of_time_not_of_setting) {
    Instance machine(everything);
    machine.submit("effects");
    std::vector<Outcome> fired = machine.advance(60);
    ASSERT_EQ(fired.size(), 2u);
    EXPECT_EQ(fired[0].reply, "then");
    EXPECT_EQ(fired[1].reply, "soon");
}

TEST(Machine, entries_of_other_kinds_reach_their_handlers_or_nobody) {
    Instance machine(everything);
    std::vector<Outcome> outcomes = machine.deliver({{"gone", Kind::session_down, 12},
                                                     {"host", Kind::host_down},
                                                     {"news", static_cast<Kind>(900)}});
    EXPECT_EQ(outcomes[0].as<std::uint64_t>(), 12u);
    EXPECT_EQ(outcomes[1].replies, 0u);
    EXPECT_EQ(machine.query("?"), "");
}

TEST(Machine, asking_for_what_it_can_not_hear_is_a_fault_that_names_the_handler) {
    Instance machine(everything);
    try {
        machine.submit("group");
        ADD_FAILURE() << "monitor_group() without on_group_down() went through";
    } catch (const Fault& fault) {
        EXPECT_NE(std::string(fault.what()).find("on_group_down"), std::string::npos);
    }
}

TEST(Machine, refuses_a_query_without_harm) {
    Instance machine(everything);
    machine.submit("a");
    EXPECT_THROW(machine.query(""), Refused);
    EXPECT_EQ(machine.query("?"), "a");
}

TEST(Machine, a_snapshot_carries_the_version_it_was_written_by) {
    Instance old(everything, {.version = 2});
    old.submit("x");
    Instance fresh(everything);
    fresh.restore(old.snapshot(), 2);
    EXPECT_EQ(fresh.query("?"), "x+");
}

TEST(Machine, a_long_snapshot_is_the_same_however_it_is_read) {
    Instance machine(everything);
    for (int i = 0; i < 3; ++i) machine.submit(std::string(100'000, static_cast<char>('a' + i)));
    Instance restored(everything);
    restored.restore(machine.snapshot());
    EXPECT_EQ(restored.query("?"), machine.query("?"));
}

TEST(Machine, a_cancelled_save_stops_with_that_status) {
    Instance machine(everything);
    machine.submit(std::string(1'000'000, 'x'));
    const qr_machine_type& type = machine.type();
    qr_create_args args{};
    args.size = sizeof args;
    args.machine_version = 3;
    qr_error error{};
    qr_machine* handle = nullptr;
    ASSERT_EQ(type.create(&args, &handle, &error), QR_OK);
    qr_view* view = nullptr;
    ASSERT_EQ(type.view_open(handle, &view, &error), QR_OK);
    qr_cancel cancel{sizeof(qr_cancel), 0, nullptr, [](const qr_cancel*) { return 1; }};
    quorate::testkit::detail::StringWriter writer;
    EXPECT_EQ(type.view_save(view, writer.abi(), &cancel, &error), QR_CANCELLED);
    qr_writer full{sizeof(qr_writer), 0, nullptr,
                   [](qr_writer*, qr_bytes) -> std::int32_t { return QR_IO; }};
    EXPECT_EQ(type.view_save(view, &full, nullptr, &error), QR_IO);
    type.view_close(view);
    type.destroy(handle);
}

TEST(Machine, passes_the_checks_of_the_test_kit) {
    std::vector<std::string> commands;
    for (int i = 0; i < 300; ++i) {
        commands.push_back(i % 3 == 0 ? "reply" : i % 3 == 1 ? "reject" : "effects");
    }
    EXPECT_EQ(quorate::testkit::check_all(everything, commands, 11), "");
}

}  // namespace
