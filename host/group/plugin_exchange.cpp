#include "host/group/plugin_exchange.hpp"

#include "host/base/log.hpp"
#include "host/group/names.hpp"
#include "host/group/residents.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

constexpr std::size_t build_digits = 64;  // SHA-256 in hex
constexpr int tries_per_piece = 3;
constexpr std::size_t images_max = 4;  // in memory at a time; others are read for each piece

bool is_build(const std::string& text) {
    return text.size() == build_digits &&
           text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

PluginExchange::~PluginExchange() {
    for (auto& [build, image] : images_) home().scheduler().cancel(image.expires);
}

std::vector<PluginSummary> PluginExchange::list() const {
    auto all = host_.environment.plugins.list();
    for (PluginSummary& plugin : all) plugin.host = home().name();
    return all;
}

Operation<Result<PluginSummary>> PluginExchange::install(Bytes image) {
    while (installing_) {
        Later<Done> turn;
        install_queue_.push_back(turn.callback());
        co_await turn;
    }
    installing_ = true;
    PluginRegistry& plugins = host_.environment.plugins;
    std::function<Result<PluginSummary>()> work = [&plugins, image] {
        return plugins.install(image);
    };
    Result<PluginSummary> installed = co_await home().in_background(std::move(work));
    installing_ = false;
    auto queue = std::exchange(install_queue_, {});
    for (auto& next : queue) {
        home().scheduler().post([next = std::move(next)] { next(Done{}); });
    }
    if (!installed) co_return within("host " + quoted(home().name()), installed.error());
    installed->host = home().name();
    tell_members();
    log::info(
        "plugin_installed", "a plugin is installed on this host",
        {{"plugin", installed->id}, {"version", installed->version}, {"build", installed->build}});
    co_return installed;
}

Operation<Result<PluginSummary>> PluginExchange::ensure(std::string build,
                                                        std::vector<HostName> sources,
                                                        Time deadline) {
    auto all = list();
    for (PluginSummary& plugin : all) {
        if (plugin.build == build) co_return std::move(plugin);
    }
    if (!is_build(build)) {
        co_return fail(Errc::request_invalid, quoted(build) + " is not the SHA-256 of a build");
    }
    if (fetching_.contains(build)) {
        Later<Result<PluginSummary>> shared;
        fetching_[build].push_back(home().calls().open<PluginSummary>("fetch plugin " + build,
                                                                      deadline, shared.callback()));
        co_return co_await shared;
    }
    fetching_[build];
    Result<PluginSummary> fetched = co_await fetch(build, std::move(sources), deadline);
    auto waiting = fetching_.extract(build);
    for (Waiter& waiter : waiting.mapped()) {
        home().scheduler().post([waiter = std::move(waiter), fetched] { waiter(fetched); });
    }
    co_return fetched;
}

Operation<Result<PluginSummary>> PluginExchange::take_offer(std::string build, HostName from,
                                                            Time deadline) {
    std::vector<HostName> sources(1, std::move(from));
    auto taken = co_await ensure(std::move(build), std::move(sources), deadline);
    if (taken) tell_members();
    co_return taken;
}

void PluginExchange::tell_members() {
    for (std::size_t shard = 0; shard < host_.shards.size(); ++shard) {
        home().at(shard, [](HostShard& there) { there.members().plugins_changed(); });
    }
}

Operation<Result<PluginSummary>> PluginExchange::fetch(std::string build,
                                                       std::vector<HostName> sources,
                                                       Time deadline) {
    Error last = fail(Errc::plugin_not_found, "host " + quoted(home().name()) + ": build " + build +
                                                  " is not installed, and no other host was asked");
    std::unordered_set<HostName> asked{home().name()};
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (!asked.insert(sources[i]).second) continue;
        Result<Bytes> image = co_await fetch_from(build, sources[i], deadline);
        if (!image) {
            last = image.error();
            continue;
        }
        Result<PluginSummary> installed = co_await install(std::move(*image));
        if (!installed) co_return installed.error();
        if (installed->build == build) co_return installed;
        last = fail(Errc::corrupt, "host " + quoted(sources[i]) + " sent build " +
                                       installed->build + " when asked for " + build);
    }
    co_return last;
}

Operation<Result<Bytes>> PluginExchange::fetch_from(std::string build, HostName source,
                                                    Time deadline) {
    std::string image;
    for (;;) {
        PluginFetchRequest request{build, image.size(), home().options().plugin_piece_bytes};
        CO_TRY(Piece piece, co_await fetch_piece(source, request, deadline));
        if (piece.total == 0 || piece.total > home().options().max_plugin_bytes) {
            co_return fail(Errc::message_too_large,
                           "host " + quoted(source) + ": build " + build + " has " +
                               std::to_string(piece.total) + " bytes, which is not between 1 and " +
                               std::to_string(home().options().max_plugin_bytes));
        }
        if (piece.bytes.empty() || image.size() + piece.bytes.size() > piece.total) {
            co_return fail(Errc::protocol, "host " + quoted(source) + " sent " +
                                               std::to_string(piece.bytes.size()) + " bytes at " +
                                               std::to_string(image.size()) + " of build " + build);
        }
        image += piece.bytes.text();
        if (image.size() == piece.total) co_return Bytes::take(std::move(image));
    }
}

Operation<Result<Piece>> PluginExchange::fetch_piece(HostName source, PluginFetchRequest request,
                                                     Time deadline) {
    for (int tries = 1;; ++tries) {
        Time until = home().attempt_until(deadline);
        Result<Piece> piece = co_await home().ask<Piece>(source, request, until);
        if (piece || tries == tries_per_piece || home().now() >= deadline) co_return piece;
        // Only silence is worth another try.
        if (piece.error().code != Errc::deadline_exceeded) co_return piece;
    }
}

Operation<Result<Piece>> PluginExchange::piece(PluginFetchRequest request) {
    CO_TRY(Bytes whole, co_await image(request.build));
    std::uint64_t size = whole.size();
    if (request.offset >= size || request.max_bytes == 0) {
        co_return fail(Errc::request_invalid, "host " + quoted(home().name()) + ": build " +
                                                  request.build + " has " + std::to_string(size) +
                                                  " bytes; none at offset " +
                                                  std::to_string(request.offset));
    }
    std::uint64_t count = std::min<std::uint64_t>(
        {request.max_bytes, size - request.offset, home().options().plugin_piece_bytes});
    co_return Piece{size, whole.slice(request.offset, count)};
}

Operation<Result<Bytes>> PluginExchange::image(std::string build) {
    if (!is_build(build)) {
        co_return fail(Errc::request_invalid, quoted(build) + " is not the SHA-256 of a build");
    }
    auto found = images_.find(build);
    if (found != images_.end()) {
        Bytes bytes = found->second.bytes;
        keep(build, bytes);
        co_return bytes;
    }
    PluginRegistry& plugins = host_.environment.plugins;
    std::function<Result<Bytes>()> work = [&plugins, build] { return plugins.image(build); };
    Result<Bytes> read = co_await home().in_background(std::move(work));
    if (!read) co_return within("host " + quoted(home().name()), read.error());
    keep(build, *read);
    co_return read;
}

void PluginExchange::keep(const std::string& build, Bytes image) {
    if (!images_.contains(build) && images_.size() >= images_max) return;
    Scheduler& scheduler = home().scheduler();
    Image& kept = images_[build];
    scheduler.cancel(kept.expires);
    kept.bytes = std::move(image);
    kept.expires = scheduler.at(scheduler.now() + home().options().plugin_image_kept,
                                [this, build] { images_.erase(build); });
}

void PluginExchange::connected(const HostName& host) {
    for (const std::string& build : host_.residents->missing_builds()) {
        Time deadline = home().now() + home().options().request_time_max;
        home().operations().run<Result<PluginSummary>>(
            ensure(build, {host}, deadline), [build](const Result<PluginSummary>& fetched) {
                if (fetched) return;
                log::warning("plugin_not_fetched", "a missing plugin could not be fetched",
                             {{"build", build}, {"error", to_string(fetched.error())}});
            });
    }
}

}  // namespace quorate::group
