#include "rpc/client/client.hpp"

#include "host/base/check.hpp"
#include "rpc/client/connections.hpp"

#include <utility>

namespace quorate::client {

Result<std::unique_ptr<Client>> Client::connect(ClientOptions options) {
    if (options.endpoints.empty()) {
        return fail(Errc::request_invalid, "no endpoint given", "name at least one host:port");
    }
    for (const std::string& endpoint : options.endpoints) TRY_VOID(loop::parse_endpoint(endpoint));
    std::shared_ptr<IoThread> io_thread = std::exchange(options.io_thread, nullptr);
    if (!io_thread) io_thread = IoThread::start();
    auto connections = std::make_shared<Connections>(*io_thread, std::move(options));
    return std::unique_ptr<Client>(new Client(std::move(io_thread), std::move(connections)));
}

Client::~Client() {
    CHECK(!on_io_thread(),
          "a Client may not be destroyed on a client's thread, as by a completion");
    connections_->shut_down();
}

}  // namespace quorate::client
