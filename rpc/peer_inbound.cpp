#include "rpc/peer_inbound.hpp"

#include "host/base/log.hpp"
#include "rpc/overloaded.hpp"
#include "rpc/peer_link.hpp"

#include <utility>

namespace quorate::rpc {
namespace {

constexpr std::uint64_t stranger_frame_bytes = 256u << 10;

}  // namespace

PeerInbound::PeerInbound(loop::EventLoop& loop, const PeersOptions& options, InboundOwner& owner,
                         std::unique_ptr<loop::Connection> connection)
    : loop_(loop), options_(options), owner_(owner), connection_(std::move(connection)) {
    loop::ConnectionOptions stranger = peer_connection_options(options_);
    stranger.frames.max_bytes = stranger_frame_bytes;
    stranger.idle_timeout = options_.dead_after;  // the dialling side pings more often than that
    connection_->start(*this, stranger);
    hello_timer_ = loop_.at(loop_.now() + options_.hello_timeout, [this] {
        hello_timer_ = 0;
        reject(fail(Errc::unreachable, "no hello came in time"));
    });
}

PeerInbound::~PeerInbound() {
    loop_.cancel(hello_timer_);
}

void PeerInbound::tell(const Hosts& hosts) {
    if (is_greeted() && !ended_) connection_->send(encode_frame(hosts));
}

void PeerInbound::end() {
    if (std::exchange(ended_, true)) return;
    loop_.cancel(std::exchange(hello_timer_, 0));
    connection_->close();
    owner_.inbound_ended(*this);
}

void PeerInbound::on_closed(const Error&) {
    end();
}

// Said in the log, and closed: what came is not what a host sends.
void PeerInbound::reject(const Error& why) {
    log::warning("peer_rejected", "a connection from another host was closed",
                 {{"remote", connection_->remote()}, {"peer", host_}, {"why", to_string(why)}});
    end();
}

void PeerInbound::on_frame(Bytes bytes) {
    if (ended_) return;
    Result<PeerFrame> frame = decode_frame(bytes);
    if (!frame.has_value()) return reject(frame.error());
    if (!is_greeted()) return greet(*frame);
    std::visit(Overloaded{
                   [this](Batch& batch) { owner_.received(host_, std::move(batch.messages)); },
                   [this](const Ping& ping) { connection_->send(encode_frame(Pong{ping.number})); },
                   [this](const Hosts& hosts) { owner_.heard_of(hosts.hosts); },
                   [this](const auto&) {
                       reject(fail(Errc::protocol, host_ + " sent what belongs to a greeting"));
                   },
               },
               *frame);
}

void PeerInbound::greet(const PeerFrame& frame) {
    const auto* theirs = std::get_if<Hello>(&frame);
    if (theirs == nullptr) return reject(fail(Errc::protocol, "the first frame is no hello"));
    Result<std::uint16_t> protocol = common_protocol(*theirs);
    if (!protocol.has_value()) return refuse(protocol.error());
    Result<Hello> ours = owner_.accept_hello(*this, *theirs);
    if (ended_) return;
    if (!ours.has_value()) return refuse(ours.error());
    loop_.cancel(std::exchange(hello_timer_, 0));
    host_ = theirs->self.name;
    incarnation_ = theirs->incarnation;
    connection_->set_frame_limits(peer_connection_options(options_).frames);
    connection_->send(encode_frame(Accepted{std::move(*ours)}));
}

// Tells the other side why before closing.
void PeerInbound::refuse(const Error& why) {
    log::warning("peer_refused", "another host's hello was refused",
                 {{"remote", connection_->remote()}, {"why", to_string(why)}});
    connection_->send(encode_frame(RefusedHello{why}));
    connection_->finish();
    ended_ = true;
    loop_.cancel(std::exchange(hello_timer_, 0));
    owner_.inbound_ended(*this);
}

}  // namespace quorate::rpc
