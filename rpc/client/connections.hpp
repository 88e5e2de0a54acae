#pragma once

#include "host/base/mailbox.hpp"
#include "rpc/client/client.hpp"
#include "rpc/loop/event_loop.hpp"
#include "rpc/loop/rpc_connection.hpp"
#include "rpc/loop/tcp.hpp"

#include <kj/async.h>

#include <map>
#include <memory>
#include <rpc/schema/client.capnp.h>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace quorate::client {

// A group's capability. Shared, because KJ's own cannot be copied from a const one.
using GroupCap = std::shared_ptr<schema::Group::Client>;

// A connection to one host, greeted and logged in. Thread: the client's.
struct Link {
    std::string endpoint;
    ServerInfo server;
    std::unique_ptr<loop::RpcConnection> rpc;
    schema::Host::Client host = nullptr;
    std::map<std::string, GroupCap> groups;  // opened so far
};
using LinkPtr = std::shared_ptr<Link>;

// Ends an operation exactly once: by complete(), or, when the last owner lets go of it, with the
// value that says that the client went away.
template <class T>
class Finisher {
 public:
    Finisher(std::function<void(T)> completion, T fallback)
        : completion_(std::move(completion)), fallback_(std::move(fallback)) {}
    ~Finisher() { complete(std::move(fallback_)); }
    Finisher(const Finisher&) = delete;
    Finisher& operator=(const Finisher&) = delete;
    void complete(T value) {
        if (auto completion = std::exchange(completion_, nullptr)) completion(std::move(value));
    }

 private:
    std::function<void(T)> completion_;
    T fallback_;
};

// All connections of a client, the thread they live on, and which host to ask for what.
// Thread: start() from any; everything else on the client's own.
class Connections : public std::enable_shared_from_this<Connections>,
                    private kj::TaskSet::ErrorHandler {
 public:
    explicit Connections(ClientOptions options);
    ~Connections();

    // Runs the task on the client's thread; false, and dropped, once the client has ended. Thread: any.
    bool run(Task task);
    // Runs on the client's thread when it ends. Thread: any.
    void at_end(Task task);
    void shut_down();  // ends the thread; from any other

    // A live link, preferably to `endpoint` (empty: the one that last worked), else to any other
    // known host; tries until the deadline. Errc::unreachable names every endpoint that was tried.
    kj::Promise<Result<LinkPtr>> link(std::string endpoint, Time deadline);
    // A group's capability on a link, opened once.
    kj::Promise<Result<GroupCap>> group(LinkPtr link, std::string name, Time deadline);
    // The link is broken, or its host silent: it is not given out again, and nothing that its host led
    // is looked for there first.
    void drop(const LinkPtr& link);

    // Where a group was last led from; empty: not known.
    std::string leader_endpoint(const std::string& group) const;
    void learn_leader(const std::string& group, const std::string& host);

    kj::Promise<void> sleep_until(Time when);
    Time now() const { return loop_.now(); }
    // Keeps a promise running.
    void keep(kj::Promise<void> promise);
    loop::EventLoop& event_loop() { return loop_; }

 private:
    struct OnThread;  // what lives within the loop's Scope
    void thread_main();
    void taskFailed(kj::Exception&& exception) override;
    kj::Promise<Result<LinkPtr>> try_endpoints(std::vector<std::string> endpoints, std::size_t at,
                                               std::string tried, Time deadline);
    kj::Promise<Result<LinkPtr>> connect(std::string endpoint, Time until);
    using Dialled = Result<std::unique_ptr<loop::Connection>>;
    kj::Promise<Dialled> dial(std::string endpoint, Duration timeout);
    kj::Promise<Result<LinkPtr>> greet(std::unique_ptr<loop::Connection> connection,
                                       std::string endpoint, Time until);
    kj::Promise<Result<LinkPtr>> log_in(LinkPtr link, schema::Gate::Client gate);
    kj::Promise<void> learn_hosts(LinkPtr link);
    std::vector<std::string> candidates(const std::string& preferred) const;

    ClientOptions options_;
    loop::EventLoop loop_;
    OnThread* here_ = nullptr;  // set while the thread's Scope lives
    std::map<std::string, LinkPtr> links_;
    std::string current_;                         // endpoint that last worked
    std::map<std::string, std::string> hosts_;    // name -> client endpoint
    std::map<std::string, std::string> leaders_;  // group -> host
    std::vector<Task> at_end_;
    bool ending_ = false;          // asked to end; on the thread
    Guarded<bool> closed_{false};  // nothing more is taken
    std::thread thread_;
};

// Milliseconds left, at least 1, for a call's timeoutMs.
std::uint32_t milliseconds_left(Time deadline, Time now);

// What an RPC exception means here. KJ's own words are kept in the text.
Error rpc_error(const kj::Exception& exception, const std::string& endpoint);

}  // namespace quorate::client
