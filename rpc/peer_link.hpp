#pragma once

#include "rpc/codec.hpp"
#include "rpc/loop/tcp.hpp"
#include "rpc/peers.hpp"

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace quorate::rpc {

class PeerLink;

// What a link needs of whom it belongs to. Every call may come from within a link's own; links are
// destroyed later only.
class LinkOwner {
 public:
    virtual ~LinkOwner() = default;
    virtual Hello hello() const = 0;
    // The other side's answer to our hello. An error: it is not to be talked to, try again later.
    virtual Result<void> accept_welcome(PeerLink& link, const Hello& theirs) = 0;
    virtual void link_up(PeerLink& link) = 0;
    virtual void link_down(PeerLink& link) = 0;
    virtual void heard_of(const std::vector<group::KnownHost>& hosts) = 0;
};

// The connection that this host dials to one other: tries again with growing, jittered pauses, greets,
// and from then on sends batches. Thread: the loop's.
//
// Invariant: up_ only between an accepted welcome and the connection's end; only then are messages queued,
// but for answers: who asked is connected to this host and waits for them.
class PeerLink final : private loop::Connection::Handler {
 public:
    // `host` empty: a seed, whose name is learnt when it answers.
    PeerLink(loop::EventLoop& loop, const PeersOptions& options, LinkOwner& owner,
             std::string address, group::HostName host);
    ~PeerLink() override;

    void send(group::PeerMessage message);
    void tell(const Hosts& hosts);

    const group::HostName& host() const { return host_; }
    void set_host(group::HostName host) { host_ = std::move(host); }
    const std::string& address() const { return address_; }
    // Dials there from now on; at once if nothing is connected.
    void set_address(std::string address);
    bool is_up() const { return up_; }
    std::uint64_t incarnation() const { return incarnation_; }  // of the other side; 0 unless up
    std::uint64_t dropped() const { return dropped_; }

    // The other side is alive: a pause before dialling it again is over.
    void hurry();
    // Closes and does not dial until resume(), which dials at once.
    void suspend();
    void resume();

 private:
    void dial();
    void dial_later();
    void connected(Result<std::unique_ptr<loop::Connection>> result);
    void greeted(const Hello& theirs);
    void down(const Error& why);
    void drop_connection();
    void ping();

    void on_frame(Bytes frame) override;
    void on_drained() override { flush(); }
    void on_closed(const Error& why) override { down(why); }
    void welcomed(const PeerFrame& frame);

    void drop(const group::PeerMessage& message);
    void flush_later();
    void flush();
    void send_batch();

    loop::EventLoop& loop_;
    const PeersOptions& options_;
    LinkOwner& owner_;
    std::string address_;
    group::HostName host_;
    bool suspended_ = false;

    std::unique_ptr<loop::Connector> connector_;
    std::unique_ptr<loop::Connection> connection_;
    bool up_ = false;
    std::uint64_t incarnation_ = 0;
    loop::TimerId timer_ = 0;  // to dial again, to give the greeting up, or to ping
    Time last_heard_;
    Duration backoff_;
    std::minstd_rand jitter_;
    Errc last_refusal_{};  // said in the log once, not at every attempt

    std::vector<group::PeerMessage> outbox_;
    std::deque<group::PeerMessage> bulk_;
    std::uint64_t outbox_bytes_ = 0;  // of both
    bool flush_posted_ = false;
    std::uint64_t dropped_ = 0;
    std::shared_ptr<PeerLink*> alive_;  // tasks hold it weakly
};

// The smaller of the two sides' best versions, or why there is none. Errc::version_mismatch.
Result<std::uint16_t> common_protocol(const Hello& theirs);

loop::ConnectionOptions peer_connection_options(const PeersOptions& options);

}  // namespace quorate::rpc
