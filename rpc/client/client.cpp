#include "rpc/client/client.hpp"

#include "rpc/client/connections.hpp"

namespace quorate::client {

Result<std::unique_ptr<Client>> Client::connect(ClientOptions options) {
    if (options.endpoints.empty()) {
        return fail(Errc::request_invalid, "no endpoint given", "name at least one host:port");
    }
    for (const std::string& endpoint : options.endpoints) TRY_VOID(loop::parse_endpoint(endpoint));
    return std::unique_ptr<Client>(new Client(std::make_shared<Connections>(std::move(options))));
}

Client::~Client() {
    connections_->shut_down();
}

}  // namespace quorate::client
