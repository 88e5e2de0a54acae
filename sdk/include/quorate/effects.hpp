#pragma once

#include <algorithm>
#include <chrono>
#include <quorate/command.hpp>
#include <stdexcept>
#include <vector>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {

// Who runs an effect. `by_default` is the leader for replies and messages, everyone for aux.
enum class Run : std::uint32_t {
    by_default = QR_RUN_DEFAULT,
    leader = QR_RUN_LEADER_ONLY,
    local = QR_RUN_LOCAL,  // the voter that holds the session's connection, else the leader
    all = QR_RUN_ALL,
};

enum class Priority : std::uint32_t { normal = 0, low = QR_APPEND_LOW_PRIORITY };

// What must hold before the log is given up to a release cursor.
struct ReleaseWhen {
    std::uint64_t written = 0;  // this index is durable here; 0: no condition
    std::uint32_t flags = 0;    // QR_WHEN_NO_SNAPSHOT_SENDS
};

namespace detail {

// Which entry kinds the machine has handlers for; others must not be asked for (see
// Effects::require).
struct Handles {
    const char* timer_missing = nullptr;  // null: handled; else what is missing, as a sentence
    const char* session_missing = nullptr;
    const char* host_missing = nullptr;
    const char* group_missing = nullptr;
};

}  // namespace detail

// Takes a machine's reply and effects, in order. Effects run after the batch has been applied, on
// the member or members that `Run` says; a replay after a restart does not run them again. A handle
// for one entry: valid during the call. Bytes are copied. Passing a limit of <quorate/effect.h>, a
// second reply, or an effect whose answer the machine has no handler for is a fault of the machine.
class Effects {
 public:
    Effects(qr_fx* sink, std::uint32_t position, const detail::Handles& handles)
        : sink_(sink), handles_(&handles), position_(position) {}

    // --- answering -------------------------------------------------------------------------------
    // The entry's reply. Without one the client gets an empty reply.
    void reply(std::string_view bytes) {
        if (answered_) throw std::logic_error("the machine answers one entry twice");
        if (bytes.size() > QR_REPLY_SIZE_MAX) throw std::length_error("a reply passes 16 MiB");
        answered_ = true;
        sink_->reply(sink_, position_, to_abi(bytes));
    }
    template <Plain T>
    requires(!std::is_convertible_v<const T&, std::string_view>) void reply(const T& value) {
        char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        reply(std::string_view(bytes, sizeof(T)));
    }
    // The same as quorate::reject(), but goes on.
    void reject(std::int32_t code, std::string_view text) {
        qr_rejection head{};
        std::memcpy(head.mark, QR_REJECTION_MARK, sizeof head.mark);
        head.code = code;
        head.text_size = static_cast<std::uint32_t>(text.size());
        Encoder encoder;
        encoder.put(head);
        encoder.write(text);
        reply(encoder.bytes());
    }
    // The reply comes later, by reply_to() with this entry's index. The host remembers who waits,
    // also across leader changes.
    void defer() {
        if (answered_) throw std::logic_error("the machine answers one entry twice");
        answered_ = true;
        emit(QR_EFFECT_DEFER, {});
    }
    void reply_to(std::uint64_t index, std::string_view bytes, Run run = Run::by_default) {
        emit(QR_EFFECT_REPLY_TO, {.flags = bits(run), .body = bytes, .target = index});
    }

    // --- talking to clients ----------------------------------------------------------------------
    // At most once; the client sees gaps by number.
    void send(std::uint64_t session, std::string_view bytes, Run run = Run::by_default) {
        emit(QR_EFFECT_SEND, {.flags = bits(run), .body = bytes, .target = session});
    }

    // --- time ------------------------------------------------------------------------------------
    // on_timer() with this name, that long after the entry's time_ms. Setting it again replaces it.
    void timer(std::string_view name, std::chrono::milliseconds after) {
        require(handles_->timer_missing);
        emit(QR_EFFECT_TIMER, {.key = name, .value = std::max<std::int64_t>(after.count(), 0)});
    }
    void timer_at(std::string_view name, std::int64_t time_ms) {
        require(handles_->timer_missing);
        emit(QR_EFFECT_TIMER_AT, {.key = name, .value = time_ms});
    }
    // A firing that is already in the log still arrives.
    void cancel_timer(std::string_view name) { emit(QR_EFFECT_TIMER_CANCEL, {.key = name}); }

    // --- watching --------------------------------------------------------------------------------
    // on_session_down(), on_host_up() and so on at each change, and at once if it is down already.
    void monitor_session(std::uint64_t session) {
        require(handles_->session_missing);
        emit(QR_EFFECT_MONITOR, {.target = session, .value = QR_WATCH_SESSION});
    }
    void monitor_host(std::string_view name) {
        require(handles_->host_missing);
        emit(QR_EFFECT_MONITOR, {.key = name, .value = QR_WATCH_HOST});
    }
    void monitor_group(std::string_view name) {
        require(handles_->group_missing);
        emit(QR_EFFECT_MONITOR, {.key = name, .value = QR_WATCH_GROUP});
    }
    void demonitor_session(std::uint64_t session) {
        emit(QR_EFFECT_DEMONITOR, {.target = session, .value = QR_WATCH_SESSION});
    }
    void demonitor_host(std::string_view name) {
        emit(QR_EFFECT_DEMONITOR, {.key = name, .value = QR_WATCH_HOST});
    }
    void demonitor_group(std::string_view name) {
        emit(QR_EFFECT_DEMONITOR, {.key = name, .value = QR_WATCH_GROUP});
    }

    // --- the log ---------------------------------------------------------------------------------
    // A command of the machine's own, appended by the leader.
    void append(std::string_view command, Priority priority = Priority::normal) {
        emit(QR_EFFECT_APPEND, {.flags = static_cast<std::uint32_t>(priority), .body = command});
    }
    // The same from any member: an aux machine's way into the log.
    void try_append(std::string_view command, Priority priority = Priority::normal) {
        emit(QR_EFFECT_TRY_APPEND,
             {.flags = static_cast<std::uint32_t>(priority), .body = command});
    }
    // The entries at these indexes to the aux machine, as QR_AUX_LOG with the token.
    void read_log(std::span<const std::uint64_t> indexes, std::uint64_t token) {
        emit(QR_EFFECT_READ_LOG, {.body = as_bytes(indexes), .token = token});
    }
    // The same to a client, without passing through the machine.
    void send_log(std::uint64_t session, std::span<const std::uint64_t> indexes,
                  std::uint64_t token = 0, Run run = Run::by_default) {
        emit(QR_EFFECT_SEND_LOG,
             {.flags = bits(run), .body = as_bytes(indexes), .target = session, .token = token});
    }
    // The log up to `index` is not needed any more: a hint to take a snapshot.
    void release_cursor(std::uint64_t index, ReleaseWhen when = {}) {
        std::uint32_t flags = when.flags | (when.written != 0 ? QR_WHEN_WRITTEN : 0);
        emit(QR_EFFECT_RELEASE_CURSOR,
             {.flags = flags, .target = index, .value = static_cast<std::int64_t>(when.written)});
    }
    void checkpoint(std::uint64_t index) { emit(QR_EFFECT_CHECKPOINT, {.target = index}); }
    void promote_checkpoint(std::uint64_t index) {
        emit(QR_EFFECT_PROMOTE_CHECKPOINT, {.target = index});
    }

    // --- this member -----------------------------------------------------------------------------
    void aux(std::string_view message, Run run = Run::by_default) {
        emit(QR_EFFECT_AUX, {.flags = bits(run), .body = message});
    }
    // A task for the aux machine's background().
    void background(std::string_view task, Run run = Run::by_default) {
        emit(QR_EFFECT_BACKGROUND, {.flags = bits(run), .body = task});
    }
    void trim_memory() { emit(QR_EFFECT_TRIM_MEMORY, {}); }

    // The sink of another entry of the same batch, for apply_batch().
    Effects at(const Command& command) const { return {sink_, command.position(), *handles_}; }
    bool is_answered() const { return answered_; }

 private:
    struct Fields {
        std::uint32_t flags = 0;
        std::string_view key = {};
        std::string_view body = {};
        std::uint64_t target = 0;
        std::int64_t value = 0;
        std::uint64_t token = 0;
    };

    static std::uint32_t bits(Run run) { return static_cast<std::uint32_t>(run); }
    static std::string_view as_bytes(std::span<const std::uint64_t> numbers) {
        return {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()};
    }
    // Found at the first test that uses the effect, not at the first failover that answers it.
    static void require(const char* missing) {
        if (missing != nullptr) throw std::logic_error(missing);
    }

    void emit(std::uint16_t kind, const Fields& fields) {
        if (fields.key.size() > QR_KEY_SIZE_MAX)
            throw std::length_error("an effect's name passes 1 KiB");
        if (fields.body.size() > QR_BODY_SIZE_MAX)
            throw std::length_error("an effect passes 16 MiB");
        qr_effect head{};
        head.head = sizeof(qr_effect);
        head.kind = kind;
        head.flags = fields.flags;
        head.key_size = static_cast<std::uint32_t>(fields.key.size());
        head.body_size = static_cast<std::uint32_t>(fields.body.size());
        head.size = qr_effect_size(head.key_size, head.body_size);
        head.target = fields.target;
        head.value = fields.value;
        head.token = fields.token;

        constexpr std::size_t small_words = 64;  // 512 bytes: timers, monitors and short messages
        std::size_t words = head.size / 8;
        std::uint64_t small[small_words];
        std::vector<std::uint64_t> large(words > small_words ? words : 0);
        std::uint64_t* record = large.empty() ? small : large.data();
        record[words - 1] = 0;  // the padding
        char* out = reinterpret_cast<char*>(record);
        std::memcpy(out, &head, sizeof head);
        fields.key.copy(out + sizeof head, fields.key.size());
        fields.body.copy(out + sizeof head + fields.key.size(), fields.body.size());
        sink_->emit(sink_, position_, reinterpret_cast<const qr_effect*>(record));
    }

    qr_fx* sink_;
    const detail::Handles* handles_;
    std::uint32_t position_;
    bool answered_ = false;
};

}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
