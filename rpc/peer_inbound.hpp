#pragma once

#include "rpc/codec.hpp"
#include "rpc/loop/connection.hpp"
#include "rpc/peers.hpp"

#include <memory>
#include <string>

namespace quorate::rpc {

class PeerInbound;

class InboundOwner {
 public:
    virtual ~InboundOwner() = default;
    // The other side's hello. Our own if it is welcome, else why not: it is told, and the connection ends.
    virtual Result<Hello> accept_hello(PeerInbound& inbound, const Hello& theirs) = 0;
    virtual void received(const group::HostName& from,
                          std::vector<group::PeerMessage> messages) = 0;
    virtual void heard_of(const std::vector<group::KnownHost>& hosts) = 0;
    // It is over; the owner destroys it, later.
    virtual void inbound_ended(PeerInbound& inbound) = 0;
};

// A connection that another host dialled: it greets, then sends batches. Until it has greeted it is a
// stranger, with small frames and little time. Thread: the loop's.
class PeerInbound final : private loop::Connection::Handler {
 public:
    PeerInbound(loop::EventLoop& loop, const PeersOptions& options, InboundOwner& owner,
                std::unique_ptr<loop::Connection> connection);
    ~PeerInbound() override;

    void tell(const Hosts& hosts);
    // Closes without a word.
    void end();

    bool is_greeted() const { return !host_.empty(); }
    bool is_ended() const { return ended_; }
    const group::HostName& host() const { return host_; }
    std::uint64_t incarnation() const { return incarnation_; }

 private:
    void on_frame(Bytes frame) override;
    void on_closed(const Error& why) override;
    void greet(const PeerFrame& frame);
    void refuse(const Error& why);
    void reject(const Error& why);

    loop::EventLoop& loop_;
    const PeersOptions& options_;
    InboundOwner& owner_;
    std::unique_ptr<loop::Connection> connection_;
    loop::TimerId hello_timer_ = 0;
    group::HostName host_;
    std::uint64_t incarnation_ = 0;
    bool ended_ = false;
};

}  // namespace quorate::rpc
