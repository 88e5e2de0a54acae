#pragma once

// Runs a statically linked machine in memory, without a host: for an author's unit tests, under any
// sanitizer and debugger.
//
//   QR_DECLARE_STATIC_PLUGIN(cart);                       // quorate_add_plugin(cart ... STATIC)
//   quorate::testkit::Instance cart(QR_STATIC_ENTRY(cart));
//   EXPECT_EQ(cart.submit_words({"add", "apple"}), "1");
//
// It calls the machine through the C tables, as a host does. testkit_checks.hpp has the checks that
// every machine should pass. Thread: one at a time, but for View::save beside submit.

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <quorate/command.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace testkit {

// The machine can not go on: what a host answers by stopping the group on this member.
class Fault : public std::runtime_error {
 public:
    explicit Fault(const qr_error& error) : std::runtime_error(error.text), index_(error.index) {}
    std::uint64_t index() const { return index_; }  // of the entry; 0 outside apply

 private:
    std::uint64_t index_;
};

// The machine said no to a query, to words, to a snapshot, or to its configuration.
class Refused : public std::runtime_error {
 public:
    explicit Refused(const qr_error& error) : std::runtime_error(error.text), code_(error.code) {}
    std::int32_t code() const { return code_; }

 private:
    std::int32_t code_;
};

// An effect record, taken apart.
struct Effect {
    std::uint16_t kind = 0;  // QR_EFFECT_...
    std::uint32_t flags = 0;
    std::string key;
    std::string body;
    std::uint64_t target = 0;
    std::int64_t value = 0;
    std::uint64_t token = 0;
    friend bool operator==(const Effect&, const Effect&) = default;
};

// What one entry led to.
struct Outcome {
    std::string reply;
    std::uint32_t replies = 0;  // how many times the machine replied: at most once
    std::vector<Effect> effects;

    RejectionView rejection() const { return rejection_of(reply); }  // code 0: none
    template <Plain T>
    T as() const {
        Decoder decoder(reply);
        T value = decoder.get<T>();
        decoder.expect_end();
        return value;
    }
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

// An entry to deliver; kind and session as in qr_entry.
struct Entry {
    std::string bytes;
    Kind kind = Kind::command;
    std::uint64_t session = 0;
};

namespace detail {

inline void require(std::int32_t status, const qr_error& error) {
    if (status == QR_OK) return;
    if (status == QR_REFUSED) throw Refused(error);
    throw Fault(error);
}
inline qr_error no_error() {
    qr_error error{};
    error.size = sizeof error;
    return error;
}

// A qr_writer into a string.
class StringWriter {
 public:
    StringWriter() : writer_{sizeof(qr_writer), 0, &bytes_, &write} {}
    StringWriter(const StringWriter&) = delete;
    StringWriter& operator=(const StringWriter&) = delete;
    qr_writer* abi() { return &writer_; }
    std::string take() { return std::move(bytes_); }

 private:
    static std::int32_t write(qr_writer* writer, qr_bytes bytes) {
        static_cast<std::string*>(writer->ctx)->append(from_abi(bytes));
        return QR_OK;
    }
    std::string bytes_;
    qr_writer writer_;
};

// A qr_reader that hands out a few bytes at a time: a machine must not count on full reads.
class ShortReader {
 public:
    explicit ShortReader(std::string_view bytes)
        : rest_(bytes), reader_{sizeof(qr_reader), 0, &rest_, &read} {}
    ShortReader(const ShortReader&) = delete;
    ShortReader& operator=(const ShortReader&) = delete;
    qr_reader* abi() { return &reader_; }

 private:
    static std::int32_t read(qr_reader* reader, std::uint8_t* into, std::uint64_t size,
                             std::uint64_t* got) {
        auto& rest = *static_cast<std::string_view*>(reader->ctx);
        constexpr std::size_t most = 4093;  // prime, so that no field stays aligned to it
        *got = rest.copy(reinterpret_cast<char*>(into), std::min<std::size_t>(size, most));
        rest.remove_prefix(*got);
        return QR_OK;
    }
    std::string_view rest_;
    qr_reader reader_;
};

class OutcomeSink {
 public:
    explicit OutcomeSink(std::size_t entries)
        : outcomes_(entries), fx_{sizeof(qr_fx), 0, this, &reply, &emit} {}
    OutcomeSink(const OutcomeSink&) = delete;
    OutcomeSink& operator=(const OutcomeSink&) = delete;
    qr_fx* abi() { return &fx_; }
    std::vector<Outcome> take() { return std::move(outcomes_); }

 private:
    static Outcome& at(qr_fx* fx, std::uint32_t entry) {
        return static_cast<OutcomeSink*>(fx->ctx)->outcomes_.at(entry);
    }
    static void reply(qr_fx* fx, std::uint32_t entry, qr_bytes bytes) {
        at(fx, entry).reply = from_abi(bytes);
        ++at(fx, entry).replies;
    }
    static void emit(qr_fx* fx, std::uint32_t entry, const qr_effect* effect) {
        at(fx, entry).effects.push_back(
            Effect{.kind = effect->kind,
                   .flags = effect->flags,
                   .key = std::string(from_abi(qr_effect_key(effect))),
                   .body = std::string(from_abi(qr_effect_body(effect))),
                   .target = effect->target,
                   .value = effect->value,
                   .token = effect->token});
    }
    std::vector<Outcome> outcomes_;
    qr_fx fx_;
};

inline const qr_host& host() {
    static const qr_host table{sizeof(qr_host),
                               QR_ABI,
                               "testkit",
                               QR_SDK_VERSION,
                               nullptr,
                               [](const qr_host*, std::int32_t, qr_bytes) {},
                               [](const qr_host*, const char*) -> const void* { return nullptr; }};
    return table;
}

inline const qr_machine_type& find_type(qr_plugin_entry entry, std::string_view name) {
    qr_error error = no_error();
    const qr_plugin* plugin = entry(&host(), &error);
    if (plugin == nullptr) throw Refused(error);
    for (std::uint32_t i = 0; i < plugin->machine_count; ++i) {
        if (name.empty() || name == plugin->machines[i]->name) return *plugin->machines[i];
    }
    throw std::invalid_argument("the plugin has no machine " + std::string(name));
}

}  // namespace detail

// A view: the state as it was when it was opened. Must end before its instance.
class View {
 public:
    View(const qr_machine_type& type, qr_view* view) : type_(&type), view_(view, type.view_close) {}

    std::string save() const {
        qr_error error = detail::no_error();
        detail::StringWriter writer;
        detail::require(type_->view_save(view_.get(), writer.abi(), nullptr, &error), error);
        return writer.take();
    }

 private:
    const qr_machine_type* type_;
    std::unique_ptr<qr_view, void (*)(qr_view*)> view_;
};

struct Options {
    std::string machine = {};  // empty: the plugin's first
    std::string config = {};
    std::uint32_t version = 0;  // 0: the newest
};

// One machine with a log of its own, which is only counted. Its clock stands still until advance().
class Instance {
 public:
    explicit Instance(qr_plugin_entry entry, const Options& options = {})
        : type_(&detail::find_type(entry, options.machine)),
          version_(options.version != 0 ? options.version : type_->version_max) {
        qr_create_args args{.size = sizeof(qr_create_args),
                            .machine_version = version_,
                            .group = 1,
                            .group_name = to_abi("test"),
                            .config = to_abi(options.config),
                            .host = &detail::host(),
                            .instance = nullptr};
        qr_error error = detail::no_error();
        qr_machine* machine = nullptr;
        detail::require(type_->create(&args, &machine, &error), error);
        machine_ = {machine, type_->destroy};
    }

    // Applies a client's command. Throws Fault.
    Outcome submit(std::string_view command) {
        return std::move(deliver({Entry{.bytes = std::string(command)}}).front());
    }
    // Applies entries as one batch.
    std::vector<Outcome> deliver(const std::vector<Entry>& batch) {
        std::vector<qr_entry> entries;
        for (const Entry& entry : batch) entries.push_back(to_entry(entry));
        qr_batch table{.size = sizeof(qr_batch),
                       .stride = sizeof(qr_entry),
                       .count = static_cast<std::uint32_t>(entries.size()),
                       .machine_version = version_,
                       .entries = entries.data(),
                       .group = 1};
        detail::OutcomeSink sink(entries.size());
        qr_error error = detail::no_error();
        detail::require(type_->apply(machine_.get(), &table, sink.abi(), &error), error);
        std::vector<Outcome> outcomes = sink.take();
        for (const Outcome& outcome : outcomes) note_timers(outcome);
        return outcomes;
    }
    // Lets time pass, and delivers the timers that the machine has set, as they come due.
    std::vector<Outcome> advance(std::int64_t ms) {
        std::int64_t until = time_ms_ + ms;
        std::vector<Outcome> outcomes;
        for (auto next = next_timer(); next != timers_.end() && next->second <= until;
             next = next_timer()) {
            time_ms_ = std::max(time_ms_, next->second);
            Entry firing{.bytes = next->first, .kind = Kind::timer};
            timers_.erase(next);
            outcomes.push_back(std::move(deliver({firing}).front()));
        }
        time_ms_ = until;
        return outcomes;
    }

    // Throws Refused if the machine does not understand the query.
    std::string query(std::string_view question) const {
        if (type_->query == nullptr) throw std::logic_error("the machine answers no queries");
        std::string aligned(question);
        qr_query table{.size = sizeof(qr_query),
                       .consistency = QR_READ_LOCAL,
                       .index = index_,
                       .term = 1,
                       .time_ms = time_ms_,
                       .data = to_abi(aligned)};
        qr_error error = detail::no_error();
        detail::StringWriter writer;
        detail::require(type_->query(machine_.get(), &table, writer.abi(), &error), error);
        return writer.take();
    }
    // A text command or query, and its reply as text.
    std::string submit_words(std::vector<std::string_view> words) {
        return render(words, submit(encode(words, text().encode_command)).reply);
    }
    std::string query_words(std::vector<std::string_view> words) const {
        return render(words, query(encode(words, text().encode_query)));
    }

    View view() const {
        qr_error error = detail::no_error();
        qr_view* view = nullptr;
        detail::require(type_->view_open(machine_.get(), &view, &error), error);
        return {*type_, view};
    }
    std::string snapshot() const { return view().save(); }
    // Into a fresh instance. Throws Refused; then the instance must not be used any more.
    void restore(std::string_view snapshot, std::uint32_t version = 0) {
        qr_snapshot_info about{.size = sizeof(qr_snapshot_info),
                               .machine_version = version != 0 ? version : version_,
                               .index = index_,
                               .term = 1,
                               .time_ms = time_ms_,
                               .group = 1};
        qr_error error = detail::no_error();
        detail::ShortReader reader(snapshot);
        detail::require(type_->load(machine_.get(), &about, reader.abi(), nullptr, &error), error);
    }
    void upgrade(std::uint32_t from, std::uint32_t to) {
        version_ = to;
        if (type_->upgrade == nullptr) return;
        qr_upgrade step{.size = sizeof(qr_upgrade),
                        .from_version = from,
                        .to_version = to,
                        .reserved = 0,
                        .index = ++index_,
                        .term = 1,
                        .time_ms = time_ms_};
        detail::OutcomeSink sink(1);
        qr_error error = detail::no_error();
        detail::require(type_->upgrade(machine_.get(), &step, sink.abi(), &error), error);
        note_timers(sink.take().front());
    }
    std::string overview() const {
        if (type_->overview == nullptr) return "{}";
        qr_error error = detail::no_error();
        detail::StringWriter writer;
        detail::require(type_->overview(machine_.get(), writer.abi(), &error), error);
        return writer.take();
    }

    std::uint64_t index() const { return index_; }  // of the last entry
    std::int64_t time_ms() const { return time_ms_; }
    // Entries before the next one, as if a snapshot had brought them.
    void set_index(std::uint64_t index) { index_ = index; }
    const qr_machine_type& type() const { return *type_; }

 private:
    qr_entry to_entry(const Entry& entry) {
        qr_entry table{};
        table.index = ++index_;
        table.term = 1;
        table.time_ms = time_ms_;
        table.kind = static_cast<std::uint32_t>(entry.kind);
        table.session = entry.session;
        table.data = to_abi(entry.bytes);
        return table;
    }
    void note_timers(const Outcome& outcome) {
        for (const Effect& effect : outcome.effects) {
            if (effect.kind == QR_EFFECT_TIMER) timers_[effect.key] = time_ms_ + effect.value;
            if (effect.kind == QR_EFFECT_TIMER_AT) timers_[effect.key] = effect.value;
            if (effect.kind == QR_EFFECT_TIMER_CANCEL) timers_.erase(effect.key);
        }
    }
    std::map<std::string, std::int64_t>::iterator next_timer() {
        return std::min_element(timers_.begin(), timers_.end(),
                                [](const auto& a, const auto& b) { return a.second < b.second; });
    }
    const qr_text& text() const {
        auto table = static_cast<const qr_text*>(type_->extension(type_, QR_TEXT_ID));
        if (table == nullptr) throw std::logic_error("the machine has no text commands");
        return *table;
    }
    template <class Function>
    std::string encode(const std::vector<std::string_view>& words, Function function) const {
        std::vector<qr_bytes> argv;
        for (std::string_view word : words) argv.push_back(to_abi(word));
        qr_error error = detail::no_error();
        detail::StringWriter writer;
        auto argc = static_cast<std::uint32_t>(argv.size());
        detail::require(function(argc, argv.data(), writer.abi(), &error), error);
        return writer.take();
    }
    std::string render(const std::vector<std::string_view>& words, std::string_view reply) const {
        return encode(words, [&](std::uint32_t argc, const qr_bytes* argv, qr_writer* writer,
                                 qr_error* error) {
            return text().render_reply(argc, argv, to_abi(reply), writer, error);
        });
    }

    const qr_machine_type* type_;
    std::uint32_t version_;
    std::unique_ptr<qr_machine, void (*)(qr_machine*)> machine_{nullptr, nullptr};
    std::uint64_t index_ = 0;
    std::int64_t time_ms_ = 1'700'000'000'000;
    std::map<std::string, std::int64_t> timers_;
};

}  // namespace testkit
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
