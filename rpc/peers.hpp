#pragma once

#include "host/base/result.hpp"
#include "host/group/transport.hpp"
#include "rpc/loop/event_loop.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorate::rpc {

// Limits and times of one host's connections to the others.
struct PeersOptions {
    std::string cluster;
    group::HostName name;
    std::uint64_t incarnation = 0;   // random, of this run of the process; not 0
    std::string software;            // "quorate 0.1.0"
    std::string listen;              // host:port, port 0 takes a free one; empty: only dials
    std::string advertise;           // what others dial; empty: as bound
    std::uint16_t lane = 0;          // tells the Peers of one host's shards apart
    std::vector<std::string> seeds;  // host:port of any hosts of the cluster, this one included
    std::vector<group::KnownHost> known;  // met in an earlier run

    Duration backoff_min = 50ms;  // before dialling again; doubled up to backoff_max, each time
    Duration backoff_max = 2s;    // drawn anew from its upper half
    Duration connect_timeout = 2s;
    Duration hello_timeout = 5s;  // from connected to greeted, either side
    Duration ping_interval = 1s;
    Duration dead_after = 5s;  // without a word from the other side: the connection is given up
    // Per host; what exceeds it is dropped, newest first. An answer becomes a short `overloaded`, or
    // unknown if the command was applied, for which an eighth more is left.
    std::uint64_t max_queued_bytes = 64ull << 20;
    std::uint64_t batch_bytes = 1ull << 20;  // of messages in one frame; a single one may exceed it
    std::uint64_t max_frame_bytes = 64ull << 20;  // a message that exceeds it is dropped and said
    std::size_t max_known_hosts = 256;
    std::size_t max_inbound = 1024;  // accepted connections; more are closed at once
};

// This host's connections to the other hosts of its cluster (docs/formats/peer.md). Every host dials
// every host it knows, and sends only on what it dialled: two connections per pair, none of which
// has to win against the other. Everything that is ready for a host in a turn leaves as one batch. Bulk
// (pieces of snapshots and plugins) goes when nothing else waits, so that it delays no heartbeat.
//
// Hosts are met by seeds, by being dialled, and by what others tell. A host of another cluster, and a
// second live process under a name, are refused and told why.
//
// Thread: the loop's; hosts() and unmet_seeds() from any. Destroy before the loop, while nothing runs on
// it or on its thread.
class Peers final : public group::Transport, public group::HostDirectory {
 public:
    // Binds at once, so that a port in use is found at the start. Errc::address_in_use, address_invalid.
    static Result<std::unique_ptr<Peers>> open(loop::EventLoop& loop, PeersOptions options);
    ~Peers() override;

    // Takes connections and dials from here on. `client_address` is what others tell clients.
    // The receiver must outlive this object; connected() and disconnected() are about the
    // connections that this host dialled, on which it can send.
    void start(group::PeerReceiver& receiver, std::string client_address);

    const std::string& address() const;  // what others dial; empty if nothing listens

    void send(const group::HostName& to, group::PeerMessage message) override;
    std::vector<group::KnownHost> hosts() const override;
    // A seed that may well be a host which others told of, by an address written differently, is not
    // told of: as many as there are such hosts, unconnected and at no seed's address.
    std::vector<std::string> unmet_seeds() const override;

    // Hosts heard of elsewhere: dialled if they are new.
    void meet(const std::vector<group::KnownHost>& hosts);
    // Called after each change of what hosts() answers but for `connected`.
    void on_new_hosts(std::function<void(const std::vector<group::KnownHost>&)> action);
    // Called when another host has dialled this one and is welcome: it is alive, whatever came before.
    void on_dialled(std::function<void(const group::HostName&)> action);
    // Dials a host at once if it is between two attempts.
    void hurry(const group::HostName& host);

    // For tests and `quorate dev`: no traffic from or to these hosts, and to all others again.
    // Connections to them are closed, and neither dialled nor taken.
    void partition(const std::vector<group::HostName>& from);

    std::uint64_t dropped_messages() const;

 private:
    class Impl;
    explicit Peers(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::rpc
