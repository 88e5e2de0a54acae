#pragma once

// The host's byte streams as a machine sees them: Writer for snapshots and answers, Reader for
// loading.

#include <algorithm>
#include <cstddef>
#include <quorate/codec.hpp>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {

namespace detail {

// Thrown through the machine's code when the host's stream fails or the host cancels; carries the
// status that the thunk returns. Not derived from std::exception: a machine has no business
// catching it.
struct Stop {
    std::int32_t status;
};

// Checks the host's cancellation and passes bytes on; the ends of both streams below.
class HostStream {
 public:
    HostStream(qr_writer* sink, qr_reader* source, const qr_cancel* cancel)
        : sink_(sink), source_(source), cancel_(cancel) {}

    void write(std::string_view bytes) {
        check();
        if (std::int32_t status = sink_->write(sink_, to_abi(bytes)); status != QR_OK)
            throw Stop{status};
    }
    // Fills `into` as far as the stream goes and returns how far.
    std::size_t read(char* into, std::size_t size) {
        std::size_t done = 0;
        while (done < size) {
            check();
            std::uint64_t got = 0;
            auto at = reinterpret_cast<std::uint8_t*>(into + done);
            if (std::int32_t status = source_->read(source_, at, size - done, &got);
                status != QR_OK) {
                throw Stop{status};
            }
            if (got == 0) break;
            done += std::min<std::size_t>(got, size - done);
        }
        return done;
    }

 private:
    void check() const {
        if (cancel_ != nullptr && cancel_->is_cancelled(cancel_) != 0) throw Stop{QR_CANCELLED};
    }
    qr_writer* sink_;
    qr_reader* source_;
    const qr_cancel* cancel_;
};

// What a Writer writes to.
class Output {
 public:
    virtual void write(std::string_view bytes) = 0;

 protected:
    ~Output() = default;
};

inline constexpr std::size_t block_size = 64 * 1024;

// Gathers small writes: a call through the boundary per 64 KiB, not per field. For answers and
// text.
class PlainOutput final : public Output {
 public:
    explicit PlainOutput(qr_writer* sink) : host_(sink, nullptr, nullptr) {}
    void write(std::string_view bytes) override {
        if (buffer_.size() + bytes.size() > block_size) flush();
        if (bytes.size() >= block_size) return host_.write(bytes);
        buffer_.append(bytes);
    }
    void flush() {
        if (!buffer_.empty()) host_.write(buffer_);
        buffer_.clear();
    }

 private:
    HostStream host_;
    std::string buffer_;
};

// A snapshot is a sequence of blocks: a BlockHead, then its bytes; the last block is empty. All
// others but the one before it hold exactly block_size bytes, so the stream depends on its content
// alone. A machine's load() sees only bytes that have passed their checksum, whatever the file went
// through.
struct BlockHead {
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;
};

// Detects accidents: every step is a bijection of the state, so one changed word always changes the
// result.
inline std::uint64_t block_checksum(std::string_view bytes) {
    constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
    std::uint64_t state = (bytes.size() + 1) * odd;
    auto step = [&state](std::uint64_t word) {
        state = (state ^ word) * odd;
        state ^= state >> 29;
    };
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), 8);
        step(word);
    }
    std::uint64_t tail = 0;
    if (!bytes.empty()) std::memcpy(&tail, bytes.data(), bytes.size());
    step(tail);
    return state;
}

class BlockOutput final : public Output {
 public:
    BlockOutput(qr_writer* sink, const qr_cancel* cancel) : host_(sink, nullptr, cancel) {
        buffer_.reserve(sizeof(BlockHead) + block_size);
        buffer_.resize(sizeof(BlockHead));
    }
    void write(std::string_view bytes) override {
        while (!bytes.empty()) {
            std::size_t room = sizeof(BlockHead) + block_size - buffer_.size();
            buffer_.append(bytes.substr(0, room));
            bytes.remove_prefix(std::min(room, bytes.size()));
            if (buffer_.size() == sizeof(BlockHead) + block_size) send();
        }
    }
    void finish() {
        if (buffer_.size() > sizeof(BlockHead)) send();
        send();
    }

 private:
    void send() {
        std::string_view bytes = std::string_view(buffer_).substr(sizeof(BlockHead));
        BlockHead head{bytes.size(), block_checksum(bytes)};
        std::memcpy(buffer_.data(), &head, sizeof head);
        host_.write(buffer_);
        buffer_.resize(sizeof(BlockHead));
    }
    HostStream host_;
    std::string buffer_;
};

class BlockInput {
 public:
    BlockInput(qr_reader* source, const qr_cancel* cancel) : host_(nullptr, source, cancel) {}

    void read(char* into, std::size_t size) {
        while (size > 0) {
            if (begin_ == block_.size() && !next()) reject_malformed("the snapshot ends too early");
            std::size_t part = std::min(size, block_.size() - begin_);
            std::memcpy(into, block_.data() + begin_, part);
            begin_ += part;
            into += part;
            size -= part;
        }
    }
    bool at_end() { return begin_ == block_.size() && !next(); }

 private:
    // The next block; false after the last one.
    bool next() {
        if (ended_) return false;
        BlockHead head;
        if (host_.read(reinterpret_cast<char*>(&head), sizeof head) < sizeof head) {
            reject_malformed("the snapshot ends too early");
        }
        if (head.size > block_size) reject_malformed("a block of the snapshot is damaged");
        block_.resize(head.size);
        begin_ = 0;
        if (host_.read(block_.data(), block_.size()) < block_.size()) {
            reject_malformed("the snapshot ends too early");
        }
        if (block_checksum(block_) != head.checksum) {
            reject_malformed("a block of the snapshot fails its checksum");
        }
        ended_ = block_.empty();
        char beyond = 0;
        if (ended_ && host_.read(&beyond, 1) != 0)
            reject_malformed("the snapshot goes on after its end");
        return !ended_;
    }

    HostStream host_;
    std::string block_;
    std::size_t begin_ = 0;
    bool ended_ = false;
};

}  // namespace detail

// Where a machine writes a snapshot, an answer to a query, or text. A handle: pass it by value;
// valid during the call. When the host cancels or its disk fails, a write ends the machine's
// function by an exception of the SDK's own.
class Writer : public detail::Puts<Writer> {
 public:
    explicit Writer(detail::Output& output) : output_(&output) {}
    void write(std::string_view bytes) { output_->write(bytes); }

 private:
    detail::Output* output_;
};

// Where a machine reads a snapshot from. A handle: pass it by value; valid during the call. Bytes
// that are missing are rejected, which refuses the snapshot; so are bytes left over after load().
class Reader {
 public:
    explicit Reader(detail::BlockInput& input) : input_(&input) {}

    template <Plain T>
    T get() {
        T value;
        read(reinterpret_cast<char*>(&value), sizeof(T));
        return value;
    }
    // What put_string() wrote. `limit` bounds what a damaged length can make us allocate.
    std::string get_string(std::size_t limit = 64 * 1024 * 1024) {
        std::size_t size = get<std::uint32_t>();
        if (size > limit) reject_malformed("a string is longer than its limit");
        std::string text;
        while (text.size() < size) {  // in steps, so that a wrong length can not claim much memory
            std::size_t part = std::min<std::size_t>(size - text.size(), 64 * 1024);
            text.resize(text.size() + part);
            read(text.data() + text.size() - part, part);
        }
        return text;
    }
    void read(char* into, std::size_t size) { input_->read(into, size); }
    bool at_end() { return input_->at_end(); }

 private:
    detail::BlockInput* input_;
};

}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
