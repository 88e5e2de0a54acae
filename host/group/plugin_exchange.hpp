#pragma once

#include "host/group/host_shard.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quorate::group {

// Plugins between hosts: installs images here, one at a time and off the shard's thread, fetches
// builds from other hosts, and serves them to those that ask. Thread: shard 0.
class PluginExchange {
 public:
    explicit PluginExchange(HostContext& host) : host_(host) {}
    ~PluginExchange();

    // Summaries of this host, its name filled in.
    std::vector<PluginSummary> list() const;

    // Installs, then tells every member here.
    Operation<Result<PluginSummary>> install(Bytes image);
    // Makes sure that the build is here, asking `sources` in turn; this host among them is skipped.
    // Those that want the same build at the same time share one transfer.
    Operation<Result<PluginSummary>> ensure(std::string build, std::vector<HostName> sources,
                                            Time deadline);
    // The same for a build that an operator wants on every host: also if it was here, members that
    // stand still are told to try it.
    Operation<Result<PluginSummary>> take_offer(std::string build, HostName from, Time deadline);
    // A piece of an installed image, for another host.
    Operation<Result<Piece>> piece(PluginFetchRequest request);
    // A host came: builds that are missing here may be there.
    void connected(const HostName& host);

 private:
    Operation<Result<PluginSummary>> fetch(std::string build, std::vector<HostName> sources,
                                           Time deadline);
    Operation<Result<Bytes>> fetch_from(std::string build, HostName source, Time deadline);
    Operation<Result<Piece>> fetch_piece(HostName source, PluginFetchRequest request,
                                         Time deadline);
    Operation<Result<Bytes>> image(std::string build);
    void keep(const std::string& build, Bytes image);
    void tell_members();
    HostShard& home() const { return *host_.shards.front(); }

    HostContext& host_;
    using Waiter = std::function<void(Result<PluginSummary>)>;
    std::unordered_map<std::string, std::vector<Waiter>> fetching_;
    bool installing_ = false;
    std::vector<std::function<void(Done)>> install_queue_;
    // Images in memory, for hosts that fetch them piece by piece.
    struct Image {
        Bytes bytes;
        TimerId expires = 0;
    };
    std::unordered_map<std::string, Image> images_;
};

}  // namespace quorate::group
