#include "rpc/loop/rpc_connection.hpp"

#include <capnp/rpc-twoparty.h>
#include <capnp/rpc.h>

#include <utility>

namespace quorate::loop {
namespace {

capnp::ReaderOptions reader_options(const RpcOptions& options) {
    capnp::ReaderOptions reader;
    reader.traversalLimitInWords = options.max_traversal_bytes / sizeof(capnp::word);
    reader.nestingLimit = static_cast<int>(options.stream.nesting_limit);
    return reader;
}

}  // namespace

class RpcConnection::Impl {
 public:
    Impl(std::unique_ptr<Connection> connection, capnp::rpc::twoparty::Side side,
         kj::Maybe<capnp::Capability::Client> bootstrap, const RpcOptions& options)
        : stream(std::move(connection), options.stream),
          network(stream, side, reader_options(options)),
          system(network, kj::mv(bootstrap)) {
        system.setFlowLimit(options.max_call_bytes / sizeof(capnp::word));
    }

    // In reverse order of use: the watch reads the network, which uses the stream.
    MessageStream stream;
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
    kj::Promise<void> disconnect_watch = nullptr;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

RpcConnection::RpcConnection(std::unique_ptr<Connection> connection,
                             capnp::Capability::Client bootstrap, const RpcOptions& options)
    : impl_(kj::heap<Impl>(std::move(connection), capnp::rpc::twoparty::Side::SERVER,
                           kj::mv(bootstrap), options)) {}

RpcConnection::RpcConnection(std::unique_ptr<Connection> connection, const RpcOptions& options)
    : impl_(kj::heap<Impl>(std::move(connection), capnp::rpc::twoparty::Side::CLIENT, nullptr,
                           options)) {}

RpcConnection::~RpcConnection() noexcept = default;

capnp::Capability::Client RpcConnection::bootstrap() {
    capnp::MallocMessageBuilder message(8);
    auto id = message.initRoot<capnp::rpc::twoparty::VatId>();
    id.setSide(impl_->network.getSide() == capnp::rpc::twoparty::Side::CLIENT
                   ? capnp::rpc::twoparty::Side::SERVER
                   : capnp::rpc::twoparty::Side::CLIENT);
    return impl_->system.bootstrap(id.asReader());
}

void RpcConnection::on_disconnect(std::function<void(const Error&)> action) {
    impl_->disconnect_watch =
        impl_->network.onDisconnect()
            .then([impl = impl_.get(), action = std::move(action)] {
                Error why = impl->stream.why_closed().value_or(
                    fail(Errc::unreachable, impl->stream.remote() + ": the conversation ended"));
                // The action may destroy this object; a promise may not be destroyed by its own
                // continuation.
                kj::evalLater([why, action, alive = std::weak_ptr<bool>(impl->alive)] {
                    if (!alive.expired()) action(why);
                }).detach([](kj::Exception&&) {});
            })
            .eagerlyEvaluate([](kj::Exception&&) {});
}

bool RpcConnection::is_open() const {
    return !impl_->stream.why_closed().has_value();
}

std::size_t RpcConnection::queued_bytes() const {
    return impl_->stream.queued_bytes();
}

void RpcConnection::set_frame_limits(const FrameLimits& limits) {
    impl_->stream.set_frame_limits(limits);
}

void RpcConnection::on_drained(std::function<void()> action) {
    impl_->stream.set_drained(std::move(action));
}

const std::string& RpcConnection::remote() const {
    return impl_->stream.remote();
}

}  // namespace quorate::loop
