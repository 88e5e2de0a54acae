#pragma once

#include "host/base/mailbox.hpp"
#include "rpc/client/client.hpp"
#include "rpc/client/link.hpp"
#include "rpc/client/whereabouts.hpp"
#include "rpc/loop/event_loop.hpp"
#include "rpc/loop/tcp.hpp"

#include <kj/async.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace quorate::client {

// Ends an operation exactly once: by complete(), or, when the last owner lets go of it, with the
// value that says that the client went away. What the completion throws ends the process.
template <class T>
class Finisher {
 public:
    Finisher(std::function<void(T)> completion, T fallback)
        : completion_(std::move(completion)), fallback_(std::move(fallback)) {}
    ~Finisher() { complete(std::move(fallback_)); }
    Finisher(const Finisher&) = delete;
    Finisher& operator=(const Finisher&) = delete;
    void complete(T value) noexcept {
        if (auto completion = std::exchange(completion_, nullptr)) completion(std::move(value));
    }

 private:
    std::function<void(T)> completion_;
    T fallback_;
};

// All connections of a client. After shut_down() its thread may be gone, and nothing here touches it.
// Thread: run() and is_current_thread() from any, shut_down() from any that is no client's; everything
// else on the client's own.
class Connections : private kj::TaskSet::ErrorHandler {
 public:
    // Pre: `thread` lives until shut_down() has returned.
    Connections(IoThread& thread, ClientOptions options);
    ~Connections();  // Pre: shut down.

    // Runs the task on the client's thread; false, and dropped, once the client has ended. Those taken
    // before that run, and find that it has ended. Thread: any.
    bool run(Task task);
    void shut_down();  // returns after everything under way has ended
    bool is_current_thread() const { return std::this_thread::get_id() == thread_; }
    bool have_ended() const { return tasks_ == nullptr; }

    // Runs when the client ends, unless forgotten before.
    using EndId = std::uint64_t;
    EndId at_end(Task task);
    void forget(EndId id) { at_end_.erase(id); }

    // A live link, preferably to `preferred` (empty: no matter), else to any other known host, last
    // of all to those in `behind`, the first of them first; tries until the deadline.
    // Errc::unreachable names every endpoint and why. Errc::access_denied, version_mismatch,
    // cluster_mismatch, protocol: no host could be reached but one that gave this answer, which
    // waiting does not mend.
    kj::Promise<Result<LinkPtr>> link(std::string preferred, Time deadline,
                                      std::vector<std::string> behind = {});
    // The live link to this endpoint; null if there is none.
    LinkPtr ready_link(const std::string& endpoint) const;
    // Capabilities on a link, asked for once.
    kj::Promise<Result<GroupCap>> group(LinkPtr link, std::string name, Time deadline);
    kj::Promise<Result<AdminCap>> admin(LinkPtr link);
    // The link is no good: not given out again, and its endpoint comes last for a while.
    void broken(const LinkPtr& link);

    Whereabouts& whereabouts() { return whereabouts_; }
    const ClientOptions& options() const { return options_; }
    Time now() const { return loop_.now(); }
    // The task owns no KJ object: it may outlive them all.
    loop::TimerId at(Time when, Task task) { return loop_.at(when, std::move(task)); }
    void cancel(loop::TimerId timer) { loop_.cancel(timer); }
    kj::Promise<void> sleep_until(Time when);
    // Longer each time, and different for each client, so that they do not come back all at once.
    Duration pause(std::uint32_t attempt);
    // Keeps a promise running until it ends or the client does.
    void keep(kj::Promise<void> promise);

 private:
    // One attempt to connect, shared by all who want that endpoint meanwhile.
    struct Dialling {
        kj::ForkedPromise<Result<LinkPtr>> link;
        std::shared_ptr<bool> over;
    };
    // A round through the endpoints.
    struct Round {
        std::string preferred;
        Time deadline;
        std::vector<std::string> behind;
        std::uint32_t number = 0;
        std::vector<std::string> endpoints = {};
        std::size_t at = 0;
        std::map<std::string, std::string> said = {};  // by endpoint, the latest
        std::optional<Error> refusal = {};             // the first that waiting does not mend
    };

    void end();
    void taskFailed(kj::Exception&& exception) override;
    static Error nobody_answers(const Round& round);
    kj::Promise<Result<LinkPtr>> try_next(Round round);
    kj::Promise<Result<LinkPtr>> next_round(Round round);
    kj::Promise<Result<LinkPtr>> connect(const std::string& endpoint, Time deadline);
    void forget_dialling(const std::string& endpoint);
    kj::Promise<Result<LinkPtr>> dial(std::string endpoint);
    kj::Promise<Result<LinkPtr>> greet(std::unique_ptr<loop::Connection> connection,
                                       std::string endpoint);
    kj::Promise<Result<LinkPtr>> log_in(LinkPtr link, schema::Gate::Client gate);
    Result<void> check_server(const ServerInfo& server);
    kj::Promise<void> learn_hosts(LinkPtr link);

    ClientOptions options_;
    loop::EventLoop& loop_;
    const std::thread::id thread_;
    Whereabouts whereabouts_;
    std::string cluster_;                 // whose hosts we have met
    std::unique_ptr<kj::TaskSet> tasks_;  // null: the client has ended
    std::map<std::string, LinkPtr> links_;
    std::map<std::string, Dialling> dialling_;
    std::map<EndId, Task> at_end_;
    EndId last_end_ = 0;
    std::mt19937_64 random_;
    Guarded<bool> closed_{false};  // nothing more is taken
};

// Milliseconds left, at least 1, for a call's timeoutMs.
std::uint32_t milliseconds_left(Time deadline, Time now);

// What an RPC exception means here. KJ's own words are kept in the text.
Error rpc_error(const kj::Exception& exception, const std::string& endpoint);

// With the zero byte that a StringPtr wants, and any in between.
inline kj::StringPtr text_of(const std::string& text) {
    return {text.c_str(), text.size()};
}
inline capnp::Data::Reader data_of(ByteView bytes) {
    return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

}  // namespace quorate::client
