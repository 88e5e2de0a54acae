#pragma once

// What a machine is given: log entries, its setup, a version switch, words.

#include <cstddef>
#include <iterator>
#include <quorate/codec.hpp>
#include <quorate/plugin.h>
#include <span>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {

enum class Kind : std::uint32_t {
    command = QR_ENTRY_COMMAND,
    timer = QR_ENTRY_TIMER,
    session_up = QR_ENTRY_SESSION_UP,
    session_down = QR_ENTRY_SESSION_DOWN,
    host_up = QR_ENTRY_HOST_UP,
    host_down = QR_ENTRY_HOST_DOWN,
    group_up = QR_ENTRY_GROUP_UP,
    group_down = QR_ENTRY_GROUP_DOWN,
};

// One committed log entry. State and outcome may depend on it, the state, and the machine version
// alone. A handle, valid during the call; its bytes are borrowed, too.
class Command {
 public:
    Command(const qr_entry& entry, std::uint32_t position, std::uint32_t machine_version)
        : entry_(&entry), position_(position), machine_version_(machine_version) {}

    // The command; a timer's, host's or group's name; why a session went.
    std::string_view bytes() const { return from_abi(entry_->data); }
    // The bytes as one value; other sizes are rejected as malformed.
    template <Plain T>
    T as() const {
        Decoder decoder(bytes());
        T value = decoder.get<T>();
        decoder.expect_end();
        return value;
    }
    std::uint64_t index() const { return entry_->index; }
    std::uint64_t term() const { return entry_->term; }
    // Milliseconds since 1970 on the leader's clock; never decreases. The only clock there is.
    std::int64_t time_ms() const { return entry_->time_ms; }
    Kind kind() const { return static_cast<Kind>(entry_->kind); }
    std::uint64_t session() const { return entry_->session; }  // 0: none
    std::uint64_t correlation() const { return entry_->correlation; }
    std::uint32_t position() const { return position_; }                // in its batch
    std::uint32_t machine_version() const { return machine_version_; }  // in force here
    const qr_entry& abi() const { return *entry_; }

 private:
    const qr_entry* entry_;
    std::uint32_t position_;
    std::uint32_t machine_version_;
};

// All entries of one call, in order. Where a batch is cut must not show in the outcome.
class Batch {
 public:
    explicit Batch(const qr_batch& batch) : batch_(&batch) {}
    std::uint32_t size() const { return batch_->count; }
    std::uint32_t machine_version() const { return batch_->machine_version; }
    Command operator[](std::uint32_t i) const {
        return {*qr_batch_entry(batch_, i), i, batch_->machine_version};
    }

    class Iterator {
     public:
        using value_type = Command;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        Iterator(const Batch* batch, std::uint32_t at) : batch_(batch), at_(at) {}
        Command operator*() const { return (*batch_)[at_]; }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) {
            Iterator before = *this;
            ++at_;
            return before;
        }
        friend bool operator==(const Iterator&, const Iterator&) = default;

     private:
        const Batch* batch_ = nullptr;
        std::uint32_t at_ = 0;
    };
    Iterator begin() const { return {this, 0}; }
    Iterator end() const { return {this, size()}; }

 private:
    const qr_batch* batch_;
};

// What a machine may know when it is made: equal on all members.
class Setup {
 public:
    explicit Setup(const qr_create_args& args) : args_(&args) {}
    std::uint64_t group() const { return args_->group; }
    std::string_view group_name() const { return from_abi(args_->group_name); }
    std::string_view config() const { return from_abi(args_->config); }
    std::uint32_t machine_version() const { return args_->machine_version; }
    const qr_create_args& abi() const { return *args_; }

 private:
    const qr_create_args* args_;
};

// The entry at which the machine's version changes.
struct Upgrade {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::uint64_t index = 0;
    std::int64_t time_ms = 0;
};

// A text command or query: usage "put KEY VALUE", help "stores VALUE under KEY". String literals.
struct Usage {
    const char* usage;
    const char* help;
};
// The words of one, the first included.
using Words = std::span<const std::string_view>;

// The rejection that a reply holds, if it holds one.
struct RejectionView {
    std::int32_t code = 0;  // 0: it is none
    std::string_view text;
};
inline RejectionView rejection_of(std::string_view reply) {
    qr_rejection head;
    if (reply.size() < sizeof head) return {};
    std::memcpy(&head, reply.data(), sizeof head);
    if (std::memcmp(head.mark, QR_REJECTION_MARK, sizeof head.mark) != 0) return {};
    if (reply.size() != sizeof head + head.text_size) return {};
    return {head.code, reply.substr(sizeof head)};
}

}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
