#include "rpc/loop/rpc_connection.hpp"
#include "rpc/loop/tcp.hpp"
#include "tests/client/outcome_log.hpp"

#include <capnp/any.h>
#include <kj/debug.h>

#include <deque>
#include <numeric>
#include <rpc/schema/client.capnp.h>

// Hosts that speak the protocol and do not keep to it: newer ones, broken ones, hostile ones.
namespace quorate::testing {
namespace {

namespace schema = quorate::schema;

template <class Params, class Results>
using Handler = std::function<kj::Promise<void>(capnp::CallContext<Params, Results>)>;

// What a host of this file does instead of what it should.
struct Manners {
    std::uint32_t protocol = schema::PROTOCOL_VERSION;
    Handler<schema::Group::SubmitParams, schema::Group::SubmitResults> submit;
    Handler<schema::Group::QueryParams, schema::Group::QueryResults> query;
    Handler<schema::Group::PipelineParams, schema::Group::PipelineResults> pipeline;
    bool null_group = false;
    bool bootstrap_is_no_gate = false;
    std::atomic<int> submits = 0;
};

class OddGroup final : public schema::Group::Server {
 public:
    explicit OddGroup(Manners& manners) : manners_(manners) {}
    kj::Promise<void> submit(SubmitContext context) override {
        ++manners_.submits;
        return manners_.submit ? manners_.submit(context) : schema::Group::Server::submit(context);
    }
    kj::Promise<void> query(QueryContext context) override {
        return manners_.query ? manners_.query(context) : schema::Group::Server::query(context);
    }
    kj::Promise<void> pipeline(PipelineContext context) override {
        return manners_.pipeline(context);
    }

 private:
    Manners& manners_;
};

class OddHost final : public schema::Host::Server {
 public:
    explicit OddHost(Manners& manners) : manners_(manners) {}
    kj::Promise<void> group(GroupContext context) override {
        if (manners_.null_group) {
            context.getResults().initFailed();
            context.getResults().setGroup(nullptr);
        } else {
            context.getResults().setGroup(kj::heap<OddGroup>(manners_));
        }
        return kj::READY_NOW;
    }

 private:
    Manners& manners_;
};

class OddGate final : public schema::Gate::Server {
 public:
    explicit OddGate(Manners& manners) : manners_(manners) {}
    kj::Promise<void> hello(HelloContext context) override {
        context.getResults().setProtocol(manners_.protocol);
        return kj::READY_NOW;
    }
    kj::Promise<void> login(LoginContext context) override {
        context.getResults().setHost(kj::heap<OddHost>(manners_));
        return kj::READY_NOW;
    }

 private:
    Manners& manners_;
};

class OddServer {
 public:
    explicit OddServer(Manners& manners) {
        thread_ = std::thread([this, &manners] {
            loop::EventLoop::Scope scope(loop_);
            std::vector<std::unique_ptr<loop::RpcConnection>> connections;
            auto listener = loop::Listener::open(loop_, port_.address(), [&](auto connection) {
                capnp::Capability::Client first = kj::heap<OddGate>(manners);
                if (manners.bootstrap_is_no_gate) first = kj::heap<OddHost>(manners);
                connections.push_back(std::make_unique<loop::RpcConnection>(
                    std::move(connection), kj::mv(first), loop::RpcOptions{}));
            });
            listening_.set_value();
            scope.run();
            connections.clear();
        });
        listening_.get_future().wait();
    }
    ~OddServer() {
        loop_.stop();
        thread_.join();
    }
    std::string address() const { return port_.address(); }
    void post(Task task) { loop_.post(std::move(task)); }

 private:
    ReservedPort port_;
    loop::EventLoop loop_;
    std::promise<void> listening_;
    std::thread thread_;
};

class OddHosts : public ::testing::Test {
 protected:
    std::string submit(Duration timeout = 20s) {
        OddServer server(manners);
        auto client = connect({.endpoints = {server.address()}});
        return say(client->group("demo").submit(as_bytes("x"), timeout).get());
    }
    Manners manners;
};

// A union's branch that this build does not know, as a newer host would send it.
template <class Builder>
void set_unknown_branch(Builder builder, std::size_t discriminant_word_half) {
    capnp::AnyStruct::Builder raw(kj::mv(builder));
    auto bytes = raw.getDataSection();
    ASSERT_GE(bytes.size(), 2 * discriminant_word_half + 2);
    bytes[2 * discriminant_word_half] = 77;
}

TEST_F(OddHosts, an_outcome_that_this_client_does_not_know_is_unknown) {
    manners.submit = [](auto context) -> kj::Promise<void> {
        context.getResults().initOutcome().initUnknown();
        set_unknown_branch(context.getResults().getOutcome(), 0);
        return kj::READY_NOW;
    };
    EXPECT_EQ(submit(), "unknown version_mismatch");
    EXPECT_EQ(manners.submits, 1);
}

TEST_F(OddHosts, an_error_that_this_client_does_not_know_keeps_its_number_and_words) {
    manners.submit = [](auto context) -> kj::Promise<void> {
        auto why = context.getResults().initOutcome().initNotApplied().initWhy();
        why.setCode(2999);
        why.setMessage("something new");
        return kj::READY_NOW;
    };
    OddServer server(manners);
    auto client = connect({.endpoints = {server.address()}});
    auto outcome = client->group("demo").submit(as_bytes("x"), 20s).get();
    auto* refused = std::get_if<client::NotApplied>(&outcome);
    ASSERT_NE(refused, nullptr) << say(outcome);
    EXPECT_EQ(static_cast<int>(refused->error.code), 2999);
    EXPECT_EQ(refused->error.what, "something new");
}

TEST_F(OddHosts, an_empty_answer_is_no_success) {
    manners.submit = [](auto) -> kj::Promise<void> { return kj::READY_NOW; };
    manners.query = [](auto context) -> kj::Promise<void> {
        context.getResults().initAnswer().initFailed();
        return kj::READY_NOW;
    };
    std::string end = submit();
    EXPECT_TRUE(end == "applied " || end.starts_with("unknown")) << end;
    OddServer server(manners);
    auto client = connect({.endpoints = {server.address()}});
    auto answer = client->group("demo").query(client::ReadLevel::local, as_bytes("q"), 20s).get();
    EXPECT_FALSE(answer.has_value());
}

TEST_F(OddHosts, an_exception_after_it_was_sent_is_unknown_and_not_sent_again) {
    manners.submit = [](auto) -> kj::Promise<void> {
        return KJ_EXCEPTION(FAILED, "a bug of the host");
    };
    EXPECT_EQ(submit(), "unknown protocol");
    EXPECT_EQ(manners.submits, 1);
}

TEST_F(OddHosts, a_call_that_the_host_does_not_have_was_not_carried_out) {
    EXPECT_EQ(submit(), "not_applied version_mismatch");
    EXPECT_EQ(manners.submits, 1);
}

TEST_F(OddHosts, another_protocol_version_is_told_at_once) {
    manners.protocol = schema::PROTOCOL_VERSION + 1;
    EXPECT_EQ(submit(1h), "not_applied version_mismatch");
}

TEST_F(OddHosts, one_that_is_no_gate_is_told_at_once) {
    manners.bootstrap_is_no_gate = true;
    EXPECT_EQ(submit(1h), "not_applied version_mismatch");
}

TEST_F(OddHosts, another_protocol_version_does_not_stand_in_the_way_of_the_right_one) {
    manners.protocol = schema::PROTOCOL_VERSION + 1;
    OddServer odd(manners);
    FakeServer good;
    apply_all(good);
    good.start();
    auto client = connect({.endpoints = {odd.address(), good.address()}});
    EXPECT_EQ(say(client->group("demo").submit(as_bytes("x"), 20s).get()), "applied re:x");
}

TEST_F(OddHosts, a_group_that_is_no_capability_ends_without_harm) {
    manners.null_group = true;
    EXPECT_FALSE(submit(1s).starts_with("applied"));
    EXPECT_EQ(manners.submits, 0);
}

// ---- pipelines ----------------------------------------------------------------------------------

// Keeps what it is given; the test answers by hand, on the server's thread.
class OddPipeline final : public schema::Pipeline::Server {
 public:
    using Correlations = std::vector<std::uint64_t>;
    struct Record {
        std::vector<Correlations> writes;  // of each
        std::deque<kj::Own<kj::PromiseFulfiller<Correlations>>> held;
    };
    explicit OddPipeline(Record& record) : record_(record) {}

    kj::Promise<void> write(WriteContext context) override {
        auto params = context.getParams();
        Correlations correlations(params.getCommands().size());
        std::iota(correlations.begin(), correlations.end(), params.getFirst());
        record_.writes.push_back(std::move(correlations));
        auto paf = kj::newPromiseAndFulfiller<Correlations>();
        record_.held.push_back(kj::mv(paf.fulfiller));
        return paf.promise.then([context](Correlations&& told) mutable {
            auto list = context.getResults().initOutcomes(static_cast<unsigned>(told.size()));
            for (unsigned i = 0; i < told.size(); ++i) {
                list[i].setCorrelation(told[i]);
                list[i].initOutcome().initApplied();
            }
        });
    }

 private:
    Record& record_;
};

class OddPipelines : public ::testing::Test {
 protected:
    OddPipelines() {
        manners.pipeline = [this](auto context) -> kj::Promise<void> {
            context.getResults().setPipeline(kj::heap<OddPipeline>(record));
            context.getResults().setCreditCommands(credit);
            context.getResults().setCreditBytes(credit);
            return kj::READY_NOW;
        };
        server.emplace(manners);
        client = connect({.endpoints = {server->address()}});
    }
    ~OddPipelines() noexcept override {
        client.reset();
        run([this] { record = {}; });
    }
    void run(const std::function<void()>& use) {
        std::promise<void> done;
        server->post([&] {
            use();
            done.set_value();
        });
        done.get_future().wait();
    }
    std::size_t commands_written() {
        std::size_t count = 0;
        run([&] {
            for (const auto& write : record.writes) count += write.size();
        });
        return count;
    }
    std::size_t writes() {
        std::size_t count = 0;
        run([&] { count = record.writes.size(); });
        return count;
    }
    // With the answer of the oldest write that waits.
    void tell(const OddPipeline::Correlations& correlations) {
        run([&] {
            auto write = std::move(record.held.front());
            record.held.pop_front();
            write->fulfill(OddPipeline::Correlations(correlations));
        });
    }

    std::uint32_t credit = 1'000'000;
    Manners manners;
    OddPipeline::Record record;
    std::optional<OddServer> server;
    OutcomeLog log;
    std::unique_ptr<client::Client> client;
};

TEST_F(OddPipelines, what_gathers_while_many_writes_wait_goes_as_one) {
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    std::uint64_t sent = 0;
    auto submit_alone = [&] {
        pipeline->submit(sent++, as_bytes("alone"));
        while (commands_written() < sent) std::this_thread::yield();
    };
    for (int i = 0; i < 8; ++i) submit_alone();
    ASSERT_EQ(writes(), 8u);
    for (; sent < 500; ++sent) pipeline->submit(sent, as_bytes("later"));
    // A round trip of the client's thread, by which it has seen them all.
    ASSERT_EQ(code_of(client->admin().server(20s).get()), "ok");
    EXPECT_EQ(commands_written(), 8u);
    tell({1});
    while (commands_written() < 500) std::this_thread::yield();
    EXPECT_EQ(writes(), 9u);
}

TEST_F(OddPipelines, while_a_command_waits_so_does_a_write) {
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 2; ++i) {
        pipeline->submit(i, as_bytes("x"));
        while (commands_written() < i + 1) std::this_thread::yield();
    }
    tell({});
    tell({2});  // no write waits now, and the first command does
    while (writes() < 3) std::this_thread::yield();
    EXPECT_EQ(commands_written(), 2u);
    tell({1});
    pipeline->drain();
    ASSERT_EQ(code_of(client->admin().server(20s).get()), "ok");
    EXPECT_EQ(writes(), 3u) << "nothing is left to ask for";
}

TEST_F(OddPipelines, outcomes_that_nobody_waits_for_are_ignored) {
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 3; ++i) {
        pipeline->submit(100 + i, as_bytes("x"));
        while (commands_written() < i + 1) std::this_thread::yield();
    }
    tell({99, 0, ~0ull, 1, 1, 1});
    tell({1, 2});
    tell({3, 2});
    pipeline->drain();
    EXPECT_EQ(log.told(),
              (OutcomeLog::Told{{100, "applied "}, {101, "applied "}, {102, "applied "}}));
}

// It would be asked again and again.
TEST_F(OddPipelines, a_host_that_owes_outcomes_and_gives_none_is_given_up) {
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    pipeline->submit(0, as_bytes("x"));
    while (commands_written() < 1) std::this_thread::yield();
    tell({});
    pipeline->drain();
    EXPECT_EQ(log.told(), (OutcomeLog::Told{{0, "unknown leadership_lost"}}));
}

TEST_F(OddPipelines, no_credit_at_all_still_lets_one_command_through) {
    credit = 0;
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    for (std::uint64_t i = 0; i < 3; ++i) pipeline->submit(i, as_bytes("x"));
    for (std::uint64_t serial = 1; serial <= 3; ++serial) {
        while (commands_written() < serial) std::this_thread::yield();
        EXPECT_EQ(commands_written(), serial);
        tell({serial});
    }
    pipeline->drain();
    EXPECT_EQ(log.size(), 3u);
}

TEST_F(OddPipelines, outcomes_of_a_pipeline_that_is_gone_are_told_to_nobody) {
    auto pipeline = open_pipeline(*client, log, {.timeout = 1h});
    pipeline->submit(0, as_bytes("x"));
    while (commands_written() < 1) std::this_thread::yield();
    pipeline.reset();
    ASSERT_EQ(log.told(), (OutcomeLog::Told{{0, "unknown cancelled"}}));
    tell({1});
    ASSERT_EQ(code_of(client->admin().server(20s).get()), "ok");
    EXPECT_EQ(log.size(), 1u);
}

}  // namespace
}  // namespace quorate::testing
