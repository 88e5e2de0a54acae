#pragma once

#include "host/group/messages.hpp"

#include <string>
#include <vector>

namespace quorate::group {

// Sends to other hosts by name. Best effort: what cannot be sent now (no connection, a full
// queue) is dropped; nothing is told. Thread: the shard's.
class Transport {
 public:
    virtual ~Transport() = default;
    virtual void send(const HostName& to, PeerMessage message) = 0;
};

// Told what arrives. Thread: the shard that called; the receiver hands on to the owning shard.
class PeerReceiver {
 public:
    virtual ~PeerReceiver() = default;
    virtual void receive(const HostName& from, PeerMessage message) = 0;
    virtual void connected(const HostName& host) = 0;
    virtual void disconnected(const HostName& host) = 0;
};

struct KnownHost {
    HostName name;
    std::string peer_address;    // host:port where it takes peers
    std::string client_address;  // host:port where it takes clients
    bool connected = false;      // this host itself: true
    std::string version = {};    // the release it runs; empty: it has not told yet
};

// The hosts of the cluster as far as they have been met (seeds, and what peers tell in their
// hello). Thread: any; the answer is a copy.
class HostDirectory {
 public:
    virtual ~HostDirectory() = default;
    virtual std::vector<KnownHost> hosts() const = 0;
    // Addresses at which there should be a host that has not been met: one that hosts() does not hold, and
    // that may carry anything.
    virtual std::vector<std::string> unmet_seeds() const { return {}; }
};

}  // namespace quorate::group
