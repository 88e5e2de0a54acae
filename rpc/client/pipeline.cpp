#include "rpc/client/pipeline.hpp"

#include "host/base/check.hpp"
#include "rpc/client/sender.hpp"

#include <future>

namespace quorate::client {
namespace {

class PipelineHandle final : public Pipeline {
 public:
    PipelineHandle(std::shared_ptr<Connections> connections, std::string group,
                   PipelineOptions options)
        : connections_(std::move(connections)),
          window_(std::make_shared<Window>(options.window, options.window_bytes)),
          sender_(std::make_shared<Sender>(*connections_, std::move(group), std::move(options),
                                           window_)) {}

    ~PipelineHandle() override {
        if (connections_->is_current_thread()) {
            sender_->close();
            return;
        }
        auto closed = std::make_shared<std::promise<void>>();
        bool taken = connections_->run([sender = sender_, closed] {
            sender->close();
            closed->set_value();
        });
        // Else the client has ended, and the sender with it.
        if (taken) closed->get_future().wait();
    }

    void submit(std::uint64_t correlation, ByteView command) override {
        CHECK(!on_io_thread(), "submit() may wait: use try_submit() on a client's thread");
        window_->take(command.size());
        sender_->post(correlation, Bytes::copy_of(command));
    }

    bool try_submit(std::uint64_t correlation, ByteView command) override {
        if (!window_->try_take(command.size())) return false;
        sender_->post(correlation, Bytes::copy_of(command));
        return true;
    }

    void drain() override {
        CHECK(!on_io_thread(), "drain() waits: never on a client's thread");
        window_->wait_empty();
    }

 private:
    std::shared_ptr<Connections> connections_;
    std::shared_ptr<Window> window_;
    std::shared_ptr<Sender> sender_;
};

}  // namespace

Result<std::unique_ptr<Pipeline>> Group::pipeline(PipelineOptions options) {
    if (options.window == 0 || options.window_bytes == 0) {
        return fail(Errc::request_invalid, "a pipeline's window must be at least 1");
    }
    if (!options.on_outcomes) {
        return fail(Errc::request_invalid, "a pipeline needs on_outcomes",
                    "set PipelineOptions.on_outcomes: it is told what became of each command");
    }
    return std::unique_ptr<Pipeline>(new PipelineHandle(connections_, name_, std::move(options)));
}

}  // namespace quorate::client
