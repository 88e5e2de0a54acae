#include "rpc/loop/message_stream.hpp"

#include <boost/container/small_vector.hpp>
#include <capnp/serialize.h>
#include <kj/async.h>

#include <algorithm>
#include <array>
#include <utility>

namespace quorate::loop {
namespace {

// A message that keeps its frame alive.
class FrameReader final : public capnp::MessageReader {
 public:
    FrameReader(Bytes frame, capnp::ReaderOptions limits)
        : capnp::MessageReader(limits), frame_(std::move(frame)), reader_(words(frame_), limits) {}

    kj::ArrayPtr<const capnp::word> getSegment(unsigned id) override {
        return reader_.getSegment(id);
    }

 private:
    static kj::ArrayPtr<const capnp::word> words(const Bytes& frame) {
        return {reinterpret_cast<const capnp::word*>(frame.view().data()),
                frame.size() / sizeof(capnp::word)};
    }

    Bytes frame_;
    capnp::FlatArrayMessageReader reader_;
};

}  // namespace

MessageStream::MessageStream(std::unique_ptr<Connection> connection,
                             const MessageStreamOptions& options)
    : options_(options), connection_(std::move(connection)) {
    if (options_.congested_bytes != 0) {  // on_drained() must come after it is over
        options_.connection.low_queued_bytes =
            std::min(options_.connection.low_queued_bytes, options_.congested_bytes / 4);
    }
    connection_->start(*this, options_.connection);
}

MessageStream::~MessageStream() noexcept = default;

// ---- reading ----------------------------------------------------------------------------------

kj::Promise<MessageStream::Read> MessageStream::tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd>,
                                                               capnp::ReaderOptions reader,
                                                               kj::ArrayPtr<capnp::word>) {
    reader_ = reader;
    if (!inbox_.empty() && !congested()) return take_frame();
    if (why_closed_) return disconnected();
    auto pair = kj::newPromiseAndFulfiller<Read>();
    waiting_ = kj::mv(pair.fulfiller);
    return kj::mv(pair.promise);
}

void MessageStream::on_frame(Bytes frame) {
    inbox_bytes_ += frame.size();
    inbox_.push_back(std::move(frame));
    if (inbox_bytes_ > options_.max_inbox_bytes) connection_->pause();
    deliver();
}

void MessageStream::on_drained() {
    deliver();
    if (drained_) drained_();
}

void MessageStream::deliver() {
    if (inbox_.empty() || congested()) return;
    KJ_IF_MAYBE (waiting, std::exchange(waiting_, nullptr)) {
        if ((*waiting)->isWaiting()) (*waiting)->fulfill(take_frame());
    }
}

MessageStream::Read MessageStream::take_frame() {
    Bytes frame = std::move(inbox_.front());
    inbox_.pop_front();
    inbox_bytes_ -= frame.size();
    if (inbox_bytes_ <= options_.max_inbox_bytes / 2) connection_->resume();
    // Pointers that lead to the same words again and again are read at most so often.
    capnp::ReaderOptions reader = reader_;
    reader.traversalLimitInWords =
        std::min<std::uint64_t>(reader.traversalLimitInWords, frame.size() + 8192);
    reader.nestingLimit = static_cast<int>(options_.nesting_limit);
    return capnp::MessageReaderAndFds{kj::heap<FrameReader>(std::move(frame), reader), nullptr};
}

bool MessageStream::congested() const {
    return options_.congested_bytes != 0 && connection_->queued_bytes() > options_.congested_bytes;
}

void MessageStream::on_closed(const Error& why) {
    why_closed_ = why;
    stop_waiting();
}

void MessageStream::stop_waiting() {
    KJ_IF_MAYBE (waiting, std::exchange(waiting_, nullptr)) (*waiting)->reject(disconnected());
}

kj::Exception MessageStream::disconnected() const {
    return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
            kj::str(why_closed_ ? why_closed_->what.c_str() : "the connection was closed")};
}

// ---- writing ----------------------------------------------------------------------------------

kj::Promise<void> MessageStream::writeMessage(
    kj::ArrayPtr<const int>, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
    if (connection_->is_closed()) return disconnected();
    // Almost always one.
    boost::container::small_vector<std::uint32_t, 4> sizes(segments.size());
    boost::container::small_vector<ByteView, 5> pieces(segments.size() + 1);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        sizes[i] = static_cast<std::uint32_t>(segments[i].size());
        auto bytes = segments[i].asBytes();
        pieces[i + 1] = {reinterpret_cast<const std::byte*>(bytes.begin()), bytes.size()};
    }
    std::string table = make_frame_table({sizes.data(), sizes.size()});
    pieces[0] = as_bytes(table);
    connection_->send_copy({pieces.data(), pieces.size()});
    return kj::READY_NOW;
}

kj::Promise<void> MessageStream::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
    for (auto& segments : messages) {
        if (connection_->is_closed()) return disconnected();
        // Never waits, so there is nothing to chain.
        writeMessage(nullptr, segments).detach([](kj::Exception&&) {});
    }
    return kj::READY_NOW;
}

kj::Promise<void> MessageStream::end() {
    connection_->finish();
    stop_waiting();
    return kj::READY_NOW;
}

}  // namespace quorate::loop
