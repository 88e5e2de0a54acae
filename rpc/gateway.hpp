#pragma once

#include "host/base/result.hpp"
#include "host/group/service.hpp"
#include "rpc/loop/event_loop.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorate::rpc {

// Limits of what clients may ask of one host.
struct GatewayOptions {
    std::string listen;    // host:port, port 0 takes a free one
    std::string software;  // "quorate 0.1.0"
    std::string token;     // what login() must bring; empty: whoever reaches the port may come in
    std::uint32_t max_login_attempts = 8;  // wrong tokens; then the connection is closed
    std::size_t max_connections = 10000;   // more are closed at once
    Duration login_timeout = 30s;          // a connection that has not logged in by then is closed
    std::uint64_t max_message_bytes = 64ull << 20;    // larger ones end their connection
    std::uint64_t stranger_message_bytes = 64 << 10;  // likewise, until it has logged in
    // Per connection, of calls taken and not answered, each with what it costs beside its bytes:
    // more are refused, overloaded. One call always fits.
    std::uint64_t max_inflight_bytes = 64ull << 20;
    std::uint64_t max_all_inflight_bytes = 256ull << 20;  // likewise, of all connections together
    std::uint32_t max_capabilities = 10000;  // held of us by one connection; more: it is closed
    std::uint32_t pipeline_commands = 8192;  // per pipeline, unanswered: its credit
    std::uint64_t pipeline_bytes = 16ull << 20;
    std::uint32_t pipeline_writes = 64;    // that wait for outcomes; with one more the oldest is
                                           // answered without any
    std::uint32_t queries_at_once = 1024;  // taken of one call ...
    std::size_t queries_answer_bytes =
        4u << 20;  // ... and answered in one; a single one may exceed it
    std::size_t pipeline_answer_bytes =
        1u << 20;  // of outcomes in one answer; a single one may exceed it
    // Answers that wait in a connection for its client to read them: above this nothing further is read
    // from it, and further answers wait beside it (gateway_answers.hpp).
    std::size_t congested_bytes = 4u << 20;
    // Of what a connection sends, and of refusals that wait for its writes; more: it is closed. Nobody who
    // reads comes there.
    std::size_t max_queued_bytes = 64u << 20;
    // More than congested_bytes wait, and it has taken nothing for so long: it is closed ...
    Duration stall_timeout = 30s;
    Duration pressed_timeout =
        3s;                     // ... or for so long, while answers take all the room of the host
    Duration max_timeout = 1h;  // longer ones asked for are cut to it
    // `partition` of the schema; empty: not offered.
    std::function<Result<void>(const std::vector<group::HostName>&)> partition;
};

// Serves rpc/schema/client.capnp over a HostService. What a client does, or fails to do, costs its
// own connection. Every command that was taken ends in an outcome; those of a connection that is
// gone are dropped when they come. Thread: the loop's, within a Scope; the service is called and
// answers there.
class Gateway {
 public:
    // Binds at once; connections wait until start(). Errc::address_in_use, address_invalid.
    static Result<std::unique_ptr<Gateway>> open(loop::EventLoop& loop, GatewayOptions options);
    // Ends every connection. Answers that come later are dropped.
    ~Gateway();

    // The service must outlive this object.
    void start(group::HostService& service);
    const std::string& address() const;  // as bound
    std::size_t connections() const;

 private:
    class Impl;
    explicit Gateway(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::rpc
