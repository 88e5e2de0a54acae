#include "host/machine/plugin_machine.hpp"

#include "host/base/check.hpp"
#include "host/base/log.hpp"
#include "host/machine/abi_call.hpp"
#include "host/machine/apply_sink.hpp"
#include "host/machine/plugin_view.hpp"
#include "host/machine/reply_text.hpp"

#include <cstring>
#include <limits>

namespace quorate::machine {
namespace {

constexpr std::size_t max_overview_bytes = 64 * 1024;
constexpr std::size_t word_bytes = sizeof(std::uint64_t);

bool is_aligned(ByteView bytes) {
    return reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(std::uint64_t) == 0;
}

std::size_t words_for(std::size_t bytes) {
    return (bytes + word_bytes - 1) / word_bytes;
}

qr_bytes to_abi(ByteView bytes) {
    return {.data = reinterpret_cast<const std::uint8_t*>(bytes.data()), .size = bytes.size()};
}

// The same bytes where a machine may read numbers in place.
ByteView realign(ByteView bytes, std::uint64_t* into) {
    if (is_aligned(bytes)) return bytes;
    std::memcpy(into, bytes.data(), bytes.size());
    return {reinterpret_cast<const std::byte*>(into), bytes.size()};
}

std::vector<qr_bytes> to_abi(std::span<const std::string> words) {
    std::vector<qr_bytes> list;
    list.reserve(words.size());
    for (const std::string& word : words) list.push_back(to_abi(as_bytes(word)));
    return list;
}

}  // namespace

Result<std::unique_ptr<Machine>> PluginMachine::create(const MachineType& type, const qr_host& host,
                                                       std::uint32_t version, GroupId group) {
    if (version < type.table.version_min || version > type.table.version_max) {
        return fail(Errc::machine_not_found, type.title + " speaks versions " +
                                                 std::to_string(type.table.version_min) + " to " +
                                                 std::to_string(type.table.version_max) + ", not " +
                                                 std::to_string(version));
    }
    if (type.table.kind != QR_MEMORY) {
        return fail(Errc::unsupported,
                    type.title + " is not of kind memory, the only kind that this release runs");
    }
    std::unique_ptr<PluginMachine> made(new PluginMachine(type, version, group));
    qr_create_args args{.size = sizeof(qr_create_args),
                        .machine_version = version,
                        .group = group.value(),
                        .group_name = {},
                        .config = {},
                        .host = &host,
                        .instance = made.get()};
    qr_error error = blank_error();
    std::int32_t status =
        guarded(error, [&] { return type.table.create(&args, &made->machine_, &error); });
    if (status == QR_OK && made->machine_ != nullptr)
        return std::unique_ptr<Machine>(std::move(made));
    made->machine_ = nullptr;
    return fail(Errc::plugin_refused,
                type.title + " could not be created: " +
                    (status == QR_OK ? "it made nothing" : text_of(error, status)));
}

PluginMachine::~PluginMachine() {
    if (machine_ == nullptr) return;
    qr_error error = blank_error();
    auto destroy = [this] {
        type_.table.destroy(machine_);
        return std::int32_t{QR_OK};
    };
    if (guarded(error, destroy) != QR_OK) {
        log::error("machine_destroy_failed", "a machine's destroy function threw",
                   {{"machine", type_.title}, {"why", text_of(error, QR_FAULT)}});
    }
}

Error PluginMachine::failure(Errc code, const std::string& text) const {
    return fail(code, type_.title + ": " + text);
}

Error PluginMachine::unusable() const {
    return failure(Errc::plugin_fault, "unusable since it failed: " + broken_);
}

Machine::Fault PluginMachine::break_with(Index index, const std::string& text) {
    broken_ = text;
    return {index, failure(Errc::plugin_fault,
                           "fault at index " + std::to_string(index.value()) + ": " + text)};
}

void PluginMachine::fill_entries(std::span<const Command> batch) {
    std::size_t words = 0;
    for (const Command& command : batch) {
        if (!is_aligned(command.payload)) words += words_for(command.payload.size());
    }
    realigned_.resize(words);
    std::uint64_t* into = realigned_.data();
    entries_.clear();
    for (const Command& command : batch) {
        ByteView payload = realign(command.payload, into);
        if (!is_aligned(command.payload)) into += words_for(payload.size());
        entries_.push_back({.index = command.id.index.value(),
                            .term = command.id.term.value(),
                            .time_ms = command.time_ms,
                            .kind = command.kind,
                            .flags = 0,
                            .session = command.session,
                            .correlation = command.correlation,
                            .data = to_abi(payload),
                            .buf = nullptr});
    }
}

boost::system::result<void, Machine::Fault> PluginMachine::apply(std::span<const Command> batch,
                                                                 ApplySink& sink) {
    if (batch.empty()) return {};
    Index first = batch.front().id.index;
    if (!broken_.empty()) return Fault{first, unusable()};
    CHECK(batch.size() <= std::numeric_limits<std::uint32_t>::max());
    fill_entries(batch);
    fresh_ = false;
    qr_batch args{.size = sizeof(qr_batch),
                  .stride = sizeof(qr_entry),
                  .count = static_cast<std::uint32_t>(entries_.size()),
                  .machine_version = version_,
                  .entries = entries_.data(),
                  .group = group_.value()};
    CheckedSink checked(batch, sink);
    qr_error error = blank_error();
    broken_ = "its apply was left by an exception of the host";  // unless we come to the end below
    std::int32_t status =
        guarded(error, [&] { return type_.table.apply(machine_, &args, checked.fx(), &error); });
    checked.rethrow();
    if (checked.breach()) {
        return break_with(batch[checked.breach()->entry].id.index, checked.breach()->text);
    }
    if (status != QR_OK) {
        Index named(error.index);
        bool in_batch = named >= first && named <= batch.back().id.index;
        return break_with(in_batch ? named : first, text_of(error, status));
    }
    broken_.clear();
    applied_ = batch.back().id;
    time_ms_ = batch.back().time_ms;
    return {};
}

Result<Bytes> PluginMachine::query(ByteView query) const {
    if (!broken_.empty()) return unusable();
    std::vector<std::uint64_t> realigned(is_aligned(query) ? 0 : words_for(query.size()));
    qr_query args{.size = sizeof(qr_query),
                  .consistency = QR_READ_LOCAL,
                  .index = applied_.index.value(),
                  .term = applied_.term.value(),
                  .time_ms = time_ms_,
                  .data = to_abi(realign(query, realigned.data()))};
    TextSink answer(QR_REPLY_SIZE_MAX);
    StreamWriter writer(answer);
    qr_error error = blank_error();
    std::int32_t status =
        guarded(error, [&] { return type_.table.query(machine_, &args, writer.writer(), &error); });
    if (writer.failure()) return within(type_.title, *writer.failure());
    if (status == QR_OK) return Bytes::take(answer.take());
    return failure(status == QR_UNSUPPORTED ? Errc::unsupported : Errc::query_failed,
                   text_of(error, status));
}

Result<std::unique_ptr<View>> PluginMachine::open_view() {
    if (!broken_.empty()) return unusable();
    qr_view* view = nullptr;
    qr_error error = blank_error();
    std::int32_t status =
        guarded(error, [&] { return type_.table.view_open(machine_, &view, &error); });
    if (status == QR_OK && view != nullptr) {
        return std::unique_ptr<View>(std::make_unique<PluginView>(type_, view));
    }
    return failure(Errc::plugin_fault, "no view could be opened: " + text_of(error, status));
}

Result<void> PluginMachine::load(ByteSource& from, std::uint32_t version, Index last) {
    CHECK(fresh_, "a snapshot is loaded into a fresh machine");
    fresh_ = false;
    broken_ = "its snapshot was not loaded";
    if (version < type_.table.version_min || version > type_.table.version_max) {
        return failure(Errc::snapshot_rejected, "the snapshot is of machine version " +
                                                    std::to_string(version) +
                                                    ", which this build does not understand");
    }
    qr_snapshot_info snapshot{.size = sizeof(qr_snapshot_info),
                              .machine_version = version,
                              .index = last.value(),
                              .term = 0,
                              .time_ms = 0,
                              .group = group_.value()};
    StreamReader reader(from);
    qr_cancel never = cancel_on(nullptr);
    qr_error error = blank_error();
    std::int32_t status = guarded(error, [&] {
        return type_.table.load(machine_, &snapshot, reader.reader(), &never, &error);
    });
    if (reader.failure()) return within(type_.title, *reader.failure());
    if (status != QR_OK) {
        return failure(status == QR_FAULT ? Errc::plugin_fault : Errc::snapshot_rejected,
                       "the snapshot was not loaded: " + text_of(error, status));
    }
    broken_.clear();
    version_ = version;
    applied_ = {Term(), last};
    return {};
}

Result<std::string> PluginMachine::overview() const {
    if (!broken_.empty()) return unusable();
    TextSink text(max_overview_bytes);
    StreamWriter writer(text);
    qr_error error = blank_error();
    std::int32_t status =
        guarded(error, [&] { return type_.table.overview(machine_, writer.writer(), &error); });
    if (writer.failure()) return within(type_.title, *writer.failure());
    if (status != QR_OK) return failure(Errc::query_failed, text_of(error, status));
    return text.take();
}

Result<Bytes> PluginMachine::encode(Encode encode_words, std::span<const std::string> words) const {
    if (!type_.has_text) return failure(Errc::unsupported, "it declares no text commands");
    std::vector<qr_bytes> list = to_abi(words);
    TextSink encoded(QR_BODY_SIZE_MAX);
    StreamWriter writer(encoded);
    qr_error error = blank_error();
    std::int32_t status = guarded(error, [&] {
        return encode_words(static_cast<std::uint32_t>(list.size()), list.data(), writer.writer(),
                            &error);
    });
    if (writer.failure()) return within(type_.title, *writer.failure());
    if (status != QR_OK) return failure(Errc::command_text_invalid, text_of(error, status));
    return Bytes::take(encoded.take());
}

Result<Bytes> PluginMachine::encode_command(std::span<const std::string> words) const {
    return encode(type_.text.encode_command, words);
}

Result<Bytes> PluginMachine::encode_query(std::span<const std::string> words) const {
    return encode(type_.text.encode_query, words);
}

std::string PluginMachine::render_reply(std::span<const std::string> words, ByteView reply) const {
    if (!type_.has_text) return plain_text_of(reply);
    std::vector<qr_bytes> list = to_abi(words);
    TextSink text(QR_REPLY_SIZE_MAX);
    StreamWriter writer(text);
    qr_error error = blank_error();
    std::int32_t status = guarded(error, [&] {
        return type_.text.render_reply(static_cast<std::uint32_t>(list.size()), list.data(),
                                       to_abi(reply), writer.writer(), &error);
    });
    return status == QR_OK && !writer.failure() ? text.take() : plain_text_of(reply);
}

}  // namespace quorate::machine
