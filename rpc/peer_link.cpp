#include "rpc/peer_link.hpp"

#include "host/base/log.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

namespace quorate::rpc {
namespace {

// An answer without what was asked for: an error's sentences.
constexpr std::size_t short_bytes = 2048;

// What may be so large that others would wait for it, and can itself wait.
bool is_bulk(const group::PeerMessage& message) {
    if (std::holds_alternative<group::SnapshotPiece>(message)) return true;
    const auto* response = std::get_if<group::Response>(&message);
    return response != nullptr && !response->failed &&
           std::holds_alternative<group::Piece>(response->body);
}

// What is said instead of an answer that finds no room: who asked need not wait for it in vain.
// Nothing if the message is no answer, is short as it is, or is asked for again.
std::optional<group::PeerMessage> in_short(const group::PeerMessage& message) {
    const auto* response = std::get_if<group::Response>(&message);
    if (response == nullptr || response->failed) return std::nullopt;
    Error why = fail(Errc::overloaded, "its answer of " + std::to_string(wire_bytes(message)) +
                                           " bytes finds no room between the hosts");
    if (std::holds_alternative<group::QueryAnswer>(response->body)) {
        return group::Response{response->id, true, std::move(why), group::Done{}};
    }
    const auto* outcome = std::get_if<group::Outcome>(&response->body);
    if (outcome == nullptr || !std::holds_alternative<group::Applied>(*outcome))
        return std::nullopt;
    why.hint = "the command was applied, and its reply is lost: look before you send it again";
    return group::Response{response->id, false, Error{Errc::internal, {}},
                           group::Outcome(group::Unknown{std::move(why)})};
}

}  // namespace

Result<std::uint16_t> common_protocol(const Hello& theirs) {
    std::uint16_t common = std::min(protocol_best, theirs.protocol);
    if (common >= std::max(protocol_oldest, theirs.protocol_oldest)) return common;
    return fail(Errc::version_mismatch,
                theirs.self.name + " (" + theirs.software + ") speaks versions " +
                    std::to_string(theirs.protocol_oldest) + " to " +
                    std::to_string(theirs.protocol) + " of the hosts' protocol, this host " +
                    std::to_string(protocol_oldest) + " to " + std::to_string(protocol_best));
}

loop::ConnectionOptions peer_connection_options(const PeersOptions& options) {
    loop::ConnectionOptions out;
    out.frames.max_bytes = options.max_frame_bytes;
    out.low_queued_bytes = options.batch_bytes;
    // The links bound what they hand over; this is for what one handing over may hold.
    out.max_queued_bytes = 2 * options.max_frame_bytes + options.batch_bytes;
    return out;
}

PeerLink::PeerLink(loop::EventLoop& loop, const PeersOptions& options, LinkOwner& owner,
                   std::string address, group::HostName host)
    : loop_(loop),
      options_(options),
      owner_(owner),
      address_(std::move(address)),
      host_(std::move(host)),
      backoff_(options.backoff_min),
      jitter_(static_cast<std::minstd_rand::result_type>(options.incarnation ^
                                                         std::hash<std::string>()(address_))),
      alive_(std::make_shared<PeerLink*>(this)) {
    dial();
}

PeerLink::~PeerLink() {
    loop_.cancel(timer_);
}

// ---- connecting -------------------------------------------------------------------------------

void PeerLink::dial() {
    timer_ = 0;
    connector_ = std::make_unique<loop::Connector>(
        loop_, address_, options_.connect_timeout,
        [this](Result<std::unique_ptr<loop::Connection>> result) { connected(std::move(result)); });
}

void PeerLink::dial_later() {
    using Range = std::uniform_int_distribution<Duration::rep>;
    Duration pause(Range(backoff_.count() / 2, backoff_.count())(jitter_));
    backoff_ = std::min(backoff_ * 2, options_.backoff_max);
    timer_ = loop_.at(loop_.now() + pause, [this] { dial(); });
}

void PeerLink::connected(Result<std::unique_ptr<loop::Connection>> result) {
    if (!result.has_value()) return dial_later();
    connection_ = std::move(*result);
    connection_->start(*this, peer_connection_options(options_));
    timer_ = loop_.at(loop_.now() + options_.hello_timeout, [this] {
        timer_ = 0;
        down(fail(Errc::unreachable, address_ + " did not answer the hello in time"));
    });
    connection_->send(encode_frame(owner_.hello()));
}

void PeerLink::welcomed(const PeerFrame& frame) {
    if (const auto* refused = std::get_if<RefusedHello>(&frame)) {
        return down(within(address_ + " refused this host", refused->why));
    }
    const auto* accepted = std::get_if<Accepted>(&frame);
    if (accepted == nullptr) {
        return down(fail(Errc::protocol, address_ + " answered the hello with something else"));
    }
    Result<std::uint16_t> protocol = common_protocol(accepted->hello);
    if (!protocol.has_value()) return down(protocol.error());
    Result<void> fine = owner_.accept_welcome(*this, accepted->hello);
    if (!fine.has_value()) return down(fine.error());
    greeted(accepted->hello);
}

void PeerLink::greeted(const Hello& theirs) {
    up_ = true;
    incarnation_ = theirs.incarnation;
    backoff_ = options_.backoff_min;
    last_refusal_ = {};
    last_heard_ = loop_.now();
    loop_.cancel(timer_);
    timer_ = loop_.at(loop_.now() + options_.ping_interval, [this] { ping(); });
    log::info("peer_connected", "connected to another host",
              {{"peer", host_}, {"address", address_}, {"software", theirs.software}});
    owner_.link_up(*this);
    owner_.heard_of(theirs.hosts);
    flush_later();
}

void PeerLink::ping() {
    timer_ = 0;
    if (loop_.now() - last_heard_ > options_.dead_after) {
        return down(fail(Errc::unreachable, host_ + " has fallen silent"));
    }
    connection_->send(encode_frame(Ping{}));
    timer_ = loop_.at(loop_.now() + options_.ping_interval, [this] { ping(); });
}

void PeerLink::down(const Error& why) {
    bool was_up = up_;
    drop_connection();
    if (was_up) {
        log::warning("peer_disconnected", "the connection to another host ended",
                     {{"peer", host_}, {"address", address_}, {"why", to_string(why)}});
        owner_.link_down(*this);
    } else if (why.code != Errc::unreachable && why.code != last_refusal_) {
        last_refusal_ = why.code;
        log::error("peer_refused", "another host and this one cannot work together; trying on",
                   {{"address", address_}, {"why", to_string(why)}});
    }
    if (!suspended_) dial_later();
}

void PeerLink::drop_connection() {
    loop_.cancel(std::exchange(timer_, 0));
    connector_.reset();
    connection_.reset();
    up_ = false;
    incarnation_ = 0;
    dropped_ += outbox_.size() + bulk_.size();
    outbox_.clear();
    bulk_.clear();
    outbox_bytes_ = 0;
}

void PeerLink::set_address(std::string address) {
    if (address == address_) return;
    address_ = std::move(address);
    if (connection_ != nullptr || suspended_) return;  // what is connected may be who told it
    drop_connection();
    backoff_ = options_.backoff_min;
    dial();
}

void PeerLink::hurry() {
    bool pausing = timer_ != 0 && connection_ == nullptr;
    if (!pausing) return;
    loop_.cancel(timer_);
    backoff_ = options_.backoff_min;
    dial();
}

void PeerLink::suspend() {
    if (suspended_) return;
    suspended_ = true;
    if (up_) return down(fail(Errc::unreachable, "partitioned on request"));
    drop_connection();
}

void PeerLink::resume() {
    if (!suspended_) return;
    suspended_ = false;
    backoff_ = options_.backoff_min;
    dial();
}

// ---- receiving --------------------------------------------------------------------------------

void PeerLink::on_frame(Bytes bytes) {
    last_heard_ = loop_.now();
    Result<PeerFrame> frame = decode_frame(bytes);
    if (!frame.has_value()) return down(frame.error());
    if (!up_) return welcomed(*frame);
    if (const auto* hosts = std::get_if<Hosts>(&*frame)) return owner_.heard_of(hosts->hosts);
    if (std::holds_alternative<Pong>(*frame)) return;
    down(fail(Errc::protocol, host_ + " sent what only the dialling side sends"));
}

// ---- sending ----------------------------------------------------------------------------------

void PeerLink::send(group::PeerMessage message) {
    std::size_t bytes = wire_bytes(message);
    if (bytes + 1024 > options_.max_frame_bytes) {
        log::error("message_too_large", "a message exceeds the largest frame and was dropped",
                   {{"peer", host_}, {"bytes", std::uint64_t{bytes}}});
        return drop(message);
    }
    bool may_wait = up_ || std::holds_alternative<group::Response>(message);
    if (!may_wait || suspended_) {
        ++dropped_;
        return;
    }
    // A little room is left for answers in short.
    bool is_short = bytes <= short_bytes && std::holds_alternative<group::Response>(message);
    std::uint64_t room = options_.max_queued_bytes + (is_short ? options_.max_queued_bytes / 8 : 0);
    if (outbox_bytes_ + bytes > room) return drop(message);
    outbox_bytes_ += bytes;
    if (is_bulk(message)) {
        bulk_.push_back(std::move(message));
    } else {
        outbox_.push_back(std::move(message));
    }
    flush_later();
}

void PeerLink::drop(const group::PeerMessage& message) {
    ++dropped_;
    if (auto shorter = in_short(message)) send(std::move(*shorter));
}

void PeerLink::tell(const Hosts& hosts) {
    if (up_) connection_->send(encode_frame(hosts));
}

// Behind the tasks that are queued by now, which may have more to send.
void PeerLink::flush_later() {
    if (std::exchange(flush_posted_, true)) return;
    loop_.post([weak = std::weak_ptr<PeerLink*>(alive_)] {
        if (auto link = weak.lock()) {
            (*link)->flush_posted_ = false;
            (*link)->flush();
        }
    });
}

// Hands over no more than the connection sends soon; on_drained() continues.
void PeerLink::flush() {
    while (up_ && connection_->queued_bytes() <= options_.batch_bytes) {
        if (!outbox_.empty()) {
            send_batch();
        } else if (!bulk_.empty()) {
            outbox_bytes_ -= wire_bytes(bulk_.front());
            connection_->send(encode_batch(std::span(&bulk_.front(), 1)));
            bulk_.pop_front();
        } else {
            return;
        }
    }
}

void PeerLink::send_batch() {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    while (count < outbox_.size() && (count == 0 || bytes < options_.batch_bytes)) {
        std::size_t next = wire_bytes(outbox_[count]);
        if (count != 0 && bytes + next + 1024 > options_.max_frame_bytes) break;
        bytes += next;
        ++count;
    }
    connection_->send(encode_batch(std::span(outbox_.data(), count)));
    outbox_bytes_ -= bytes;
    outbox_.erase(outbox_.begin(), outbox_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace quorate::rpc
