#include "tests/client/fake_server.hpp"

#include <coroutine>
#include <memory>

// The four ways to consume an operation, with each of the three ends of a command.
namespace quorate::testing {
namespace {

using client::Operation;
using client::Outcome;

// A coroutine that runs until its first wait, and on from there by itself.
struct Task {
    struct promise_type {
        Task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

Task fulfil(Operation<Outcome> operation, std::promise<Outcome> promise) {
    Outcome outcome = co_await std::move(operation);
    promise.set_value(std::move(outcome));
}

Outcome by_get(Operation<Outcome> operation) {
    return operation.get();
}
Outcome by_future(Operation<Outcome> operation) {
    return operation.future().get();
}
Outcome by_callback(Operation<Outcome> operation) {
    std::promise<Outcome> promise;
    operation.then([&promise](Outcome outcome) { promise.set_value(std::move(outcome)); });
    return promise.get_future().get();
}
Outcome by_coroutine(Operation<Outcome> operation) {
    std::promise<Outcome> promise;
    auto future = promise.get_future();
    fulfil(std::move(operation), std::move(promise));
    return future.get();
}

struct Form {
    const char* name;
    Outcome (*consume)(Operation<Outcome>);
};

class OperationForms : public ::testing::TestWithParam<Form> {
 protected:
    OperationForms() {
        server.start();
        client = connect(server);
    }
    std::string end_of_submit() {
        return say(GetParam().consume(client->group("demo").submit(as_bytes("c"), 20s)));
    }
    FakeServer server;
    std::unique_ptr<client::Client> client;
};

TEST_P(OperationForms, give_what_was_applied) {
    server.run([&] { apply_all(server); });
    EXPECT_EQ(end_of_submit(), "applied re:c");
}

TEST_P(OperationForms, give_what_was_not_applied) {
    server.run([&] { refuse_all(server, Errc::overloaded); });
    EXPECT_EQ(end_of_submit(), "not_applied overloaded");
}

TEST_P(OperationForms, give_what_is_unknown) {
    server.run([&] {
        server.host().port->on_submit = [](auto& s) {
            s.done(group::Unknown{fail(Errc::leadership_lost, "by the test")});
        };
    });
    EXPECT_EQ(end_of_submit(), "unknown leadership_lost");
}

TEST_P(OperationForms, end_when_the_client_has_ended_before) {
    client::Group group = client->group("demo");
    client.reset();
    EXPECT_EQ(say(GetParam().consume(group.submit(as_bytes("c"), 20s))), "unknown cancelled");
}

INSTANTIATE_TEST_SUITE_P(, OperationForms,
                         ::testing::Values(Form{"get", by_get}, Form{"future", by_future},
                                           Form{"callback", by_callback},
                                           Form{"coroutine", by_coroutine}),
                         [](const auto& tested) { return tested.param.name; });

TEST(Operation, begins_when_it_is_consumed_and_not_before) {
    FakeServer server;
    apply_all(server);
    server.start();
    auto client = connect(server);
    { auto dropped = client->group("demo").submit(as_bytes("never"), 20s); }
    auto later = client->group("demo").submit(as_bytes("later"), 20s);
    EXPECT_EQ(say(client->group("demo").submit(as_bytes("first"), 20s).get()), "applied re:first");
    EXPECT_EQ(say(later.get()), "applied re:later");
    EXPECT_EQ(server.commands(), (std::vector<std::string>{"first", "later"}));
}

TEST(Operation, is_consumed_once) {
    FakeServer server;
    apply_all(server);
    server.start();
    auto client = connect(server);
    auto operation = client->group("demo").submit(as_bytes("c"), 20s);
    EXPECT_EQ(say(operation.get()), "applied re:c");
    EXPECT_THROW(operation.get(), BrokenInvariant);
    EXPECT_THROW(operation.then([](Outcome) {}), BrokenInvariant);
}

// A coroutine's frame, which holds the awaiter, goes while the operation that resumed it is still
// returning.
Task last_words(Operation<Outcome> operation, std::shared_ptr<std::promise<Outcome>> promise) {
    promise->set_value(co_await std::move(operation));
}

TEST(Operation, may_be_destroyed_by_the_coroutine_that_it_resumes) {
    FakeServer server;
    auto client = connect(server);
    client::Group group = client->group("demo");
    client.reset();
    auto promise = std::make_shared<std::promise<Outcome>>();
    auto future = promise->get_future();
    last_words(group.submit(as_bytes("c"), 20s), promise);
    EXPECT_EQ(say(future.get()), "unknown cancelled");
}

Task three_in_a_row(client::Group group, std::promise<std::string> promise) {
    std::string said;
    for (const char* command : {"a", "b", "c"}) {
        said += say(co_await group.submit(as_bytes(command), 20s)) + ";";
    }
    promise.set_value(said);
}

TEST(Operation, coroutines_go_from_one_to_the_next) {
    FakeServer server;
    apply_all(server);
    server.start();
    auto client = connect(server);
    std::promise<std::string> promise;
    auto future = promise.get_future();
    three_in_a_row(client->group("demo"), std::move(promise));
    EXPECT_EQ(future.get(), "applied re:a;applied re:b;applied re:c;");
}

TEST(Operation, completions_run_on_the_clients_thread) {
    FakeServer server;
    apply_all(server);
    server.start();
    auto client = connect(server);
    EXPECT_FALSE(client::on_io_thread());
    std::promise<bool> promise;
    client->group("demo").submit(as_bytes("c"), 20s).then([&promise](Outcome) {
        promise.set_value(client::on_io_thread());
    });
    EXPECT_TRUE(promise.get_future().get());
}

TEST(Operation, waiting_on_the_clients_thread_is_refused_rather_than_for_ever) {
    FakeServer server;
    apply_all(server);
    server.start();
    auto client = connect(server);
    std::promise<bool> promise;
    client->group("demo").submit(as_bytes("a"), 20s).then([&](Outcome) {
        try {
            client->group("demo").submit(as_bytes("b"), 20s).get();
            promise.set_value(false);
        } catch (const BrokenInvariant&) {
            promise.set_value(true);
        }
    });
    EXPECT_TRUE(promise.get_future().get());
}

}  // namespace
}  // namespace quorate::testing
