#include "rpc/client/connections.hpp"

#include "rpc/client/decode.hpp"

#include <algorithm>
#include <future>
#include <limits>

namespace quorate::client {
namespace {

constexpr Duration first_pause = 20ms;
constexpr Duration longest_pause = 320ms;
}  // namespace

std::uint32_t milliseconds_left(Time deadline, Time now) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(left, 1, std::numeric_limits<std::uint32_t>::max()));
}

Error rpc_error(const kj::Exception& exception, const std::string& endpoint) {
    auto code = [&exception] {
        switch (exception.getType()) {
            case kj::Exception::Type::DISCONNECTED:
                return Errc::unreachable;
            case kj::Exception::Type::UNIMPLEMENTED:
                return Errc::version_mismatch;
            default:
                return Errc::protocol;
        }
    };
    return fail(code(), endpoint + ": " + std::string(exception.getDescription().cStr()));
}

// ---- on the thread ------------------------------------------------------------------------------

Connections::Connections(IoThread& thread, ClientOptions options)
    : options_(std::move(options)),
      loop_(thread.loop()),
      thread_(thread.id()),
      whereabouts_(options_.endpoints),
      tasks_(new kj::TaskSet(*this)),
      random_(std::random_device()()) {}

Connections::~Connections() = default;

bool Connections::run(Task task) {
    return closed_.with([this, &task](bool closed) {
        if (!closed) loop_.post(std::move(task));
        return !closed;
    });
}

Connections::EndId Connections::at_end(Task task) {
    at_end_.emplace(++last_end_, std::move(task));
    return last_end_;
}

void Connections::shut_down() {
    auto ended = std::make_shared<std::promise<void>>();
    run([this, ended] {
        end();
        // What was posted before that runs now, finds the client ended, and so ends as cancelled.
        loop_.post([ended] { ended->set_value(); });
    });
    ended->get_future().wait();
}

// Here no promise of ours is running, so all of them may go.
void Connections::end() {
    auto tasks = std::exchange(tasks_, nullptr);
    tasks.reset();
    for (const auto& [id, task] : std::exchange(at_end_, {})) task();
    dialling_.clear();
    links_.clear();
    closed_.with([](bool& closed) { closed = true; });
}

void Connections::taskFailed(kj::Exception&&) {
    // Every promise that is kept ends its operation itself; what arrives here belongs to none.
}

void Connections::keep(kj::Promise<void> promise) {
    if (tasks_ != nullptr) tasks_->add(kj::mv(promise));
}

kj::Promise<void> Connections::sleep_until(Time when) {
    // The timer goes with the promise.
    class Sleep {
     public:
        Sleep(kj::PromiseFulfiller<void>& fulfiller, loop::EventLoop& loop, Time until)
            : loop_(loop), timer_(loop.at(until, [&fulfiller] { fulfiller.fulfill(); })) {}
        ~Sleep() { loop_.cancel(timer_); }
        Sleep(const Sleep&) = delete;

     private:
        loop::EventLoop& loop_;
        loop::TimerId timer_;
    };
    return kj::newAdaptedPromise<void, Sleep>(loop_, when);
}

Duration Connections::pause(std::uint32_t attempt) {
    Duration longest = std::min(first_pause * (1 << std::min(attempt, 10u)), longest_pause);
    return longest / 2 + Duration(random_() % static_cast<std::uint64_t>(longest.count() / 2));
}

// ---- which link ---------------------------------------------------------------------------------

void Connections::broken(const LinkPtr& link) {
    auto found = links_.find(link->endpoint);
    if (found == links_.end() || found->second != link) return;
    whereabouts_.failed(link->endpoint, now());
    links_.erase(found);
}

LinkPtr Connections::ready_link(const std::string& endpoint) const {
    auto found = links_.find(endpoint);
    return found == links_.end() ? nullptr : found->second;
}

kj::Promise<Result<LinkPtr>> Connections::link(std::string preferred, Time deadline,
                                               std::vector<std::string> behind) {
    return next_round({std::move(preferred), deadline, std::move(behind)});
}

kj::Promise<Result<LinkPtr>> Connections::next_round(Round round) {
    round.endpoints = whereabouts_.in_turn(round.preferred, now());
    std::ranges::stable_sort(round.endpoints, {}, [&round](const std::string& endpoint) {
        auto behind = std::ranges::find(round.behind, endpoint);
        return behind == round.behind.end() ? 0 : 1 + (behind - round.behind.begin());
    });
    round.at = 0;
    return try_next(std::move(round));
}

Error Connections::nobody_answers(const Round& round) {
    std::string all;
    for (const auto& [endpoint, words] : round.said) all += (all.empty() ? "" : "; ") + words;
    if (all.empty()) all = round.endpoints.front() + " was not reached in time";
    return fail(Errc::unreachable, "no host answers: " + all);
}

kj::Promise<Result<LinkPtr>> Connections::try_next(Round round) {
    bool late = now() >= round.deadline;
    if (late || round.at == round.endpoints.size()) {
        if (round.refusal) return Result<LinkPtr>(*round.refusal);
        Time again = now() + pause(round.number++);
        if (late || again >= round.deadline) return Result<LinkPtr>(nobody_answers(round));
        return sleep_until(again).then(
            [this, round = std::move(round)]() mutable { return next_round(std::move(round)); });
    }
    std::string endpoint = round.endpoints[round.at++];
    if (auto found = links_.find(endpoint); found != links_.end())
        return Result<LinkPtr>(found->second);
    return connect(endpoint, round.deadline)
        .then([this, endpoint, round = std::move(round)](
                  Result<LinkPtr> link) mutable -> kj::Promise<Result<LinkPtr>> {
            if (link.has_value()) return kj::mv(link);
            bool may_pass = link.error().code == Errc::unreachable;
            if (!may_pass && !round.refusal) round.refusal = link.error();
            round.said[endpoint] = link.error().what;
            return try_next(std::move(round));
        });
}

// ---- capabilities -------------------------------------------------------------------------------

kj::Promise<Result<GroupCap>> Connections::group(LinkPtr link, std::string name, Time deadline) {
    using Opened = Result<GroupCap>;
    if (auto found = link->groups.find(name); found != link->groups.end())
        return Opened(found->second);
    auto request = link->host.groupRequest();
    request.setName(text_of(name));
    request.setTimeoutMs(milliseconds_left(deadline, now()));
    return request.send().then([link, name](capnp::Response<schema::GroupResult> answer) -> Opened {
        if (answer.isFailed()) return decode(answer.getFailed());
        auto group = std::make_shared<OpenGroup>(OpenGroup{answer.getGroup(), {}});
        link->groups.insert_or_assign(name, group);
        return group;
    });
}

kj::Promise<Result<AdminCap>> Connections::admin(LinkPtr link) {
    using Opened = Result<AdminCap>;
    if (link->admin) return Opened(link->admin);
    return link->host.adminRequest().send().then(
        [link](capnp::Response<schema::AdminResult> answer) -> Opened {
            if (answer.isFailed()) return decode(answer.getFailed());
            link->admin = std::make_shared<schema::Admin::Client>(answer.getAdmin());
            return link->admin;
        });
}

}  // namespace quorate::client
