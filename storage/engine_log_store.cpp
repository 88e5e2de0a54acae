#include "storage/disk_log_store.hpp"

namespace quorate::storage {

void EngineLogStore::create(GroupId group, Bytes registration, Executor& on,
                            std::function<void(Result<void>)> done) {
    submit(request::Create{group, std::move(registration), &on, std::move(done)});
}

void EngineLogStore::update_registration(GroupId group, Bytes registration, Executor& on,
                                         std::function<void(Result<void>)> done) {
    submit(request::Update{group, std::move(registration), &on, std::move(done)});
}

void EngineLogStore::erase(GroupId group, Executor& on, std::function<void(Result<void>)> done) {
    submit(request::Erase{group, &on, std::move(done)});
}

void EngineLogStore::attach(GroupId group, Executor& on, LogClient& client) {
    auto attachment = std::make_shared<Attachment>();
    attachment->executor = &on;
    attachment->client = &client;
    auto before =
        attachments_.with([&](auto& all) { return std::exchange(all[group], attachment); });
    if (before) before->client = nullptr;
    submit(request::Attach{group, std::move(attachment)});
}

void EngineLogStore::detach(GroupId group) {
    auto attachment = attachments_.with([&](auto& all) {
        auto node = all.extract(group);
        return node.empty() ? nullptr : std::move(node.mapped());
    });
    if (!attachment) return;
    attachment->client =
        nullptr;  // reports on their way are posted to this thread: they find nobody
    submit(request::Detach{group, std::move(attachment)});
}

void EngineLogStore::write(GroupId group, raft::Store store) {
    submit(request::Write{group, std::move(store)});
}

void EngineLogStore::read(GroupId group, Index from, Index to, std::uint64_t max_bytes,
                          Executor& on, ReadDone done) {
    submit(request::Read{.group = group,
                         .from = from,
                         .to = to,
                         .max_bytes = max_bytes,
                         .on = &on,
                         .done = std::move(done)});
}

void EngineLogStore::recover(GroupId group, Executor& on, RecoverDone done) {
    submit(request::Recover{.group = group, .on = &on, .done = std::move(done)});
}

void EngineLogStore::release(GroupId group, EntryId up_to) {
    submit(request::Release{group, up_to});
}

void EngineLogStore::repaired(GroupId group) {
    submit(request::Repaired{group});
}

Result<std::unique_ptr<SteppedLogStore>> SteppedLogStore::open(Options options, Files& files,
                                                               SettledHome& home) {
    std::unique_ptr<SteppedLogStore> store(new SteppedLogStore());
    store->options_ = std::move(options);
    LogEngine::Environment environment{
        .files = files,
        .home = home,
        .aside = store->aside_,
        .post = [store = store.get()](Request request) { store->submit(std::move(request)); },
        .on_failure = store->options_.on_failure};
    TRY(store->engine_, LogEngine::open(store->options_.log, std::move(environment)));
    for (Request& request : std::exchange(store->early_, {})) store->submit(std::move(request));
    return store;
}

void SteppedLogStore::submit(Request request) {
    if (!engine_) {
        early_.push_back(std::move(request));
        return;
    }
    engine_->queue(std::move(request));
    if (!std::exchange(said_, true) && options_.on_work) options_.on_work();
}

void SteppedLogStore::step(Time now) {
    said_ = false;
    engine_->run_once(now);
    if (engine_->has_work() && !std::exchange(said_, true) && options_.on_work) options_.on_work();
}

}  // namespace quorate::storage
