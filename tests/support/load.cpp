#include "tests/support/load.hpp"

#include "plugins/kv/protocol.hpp"
#include "rpc/client/pipeline.hpp"
#include "tests/support/wait_until.hpp"

#include <array>

namespace quorate::testing {
namespace {

// A prefix ends in "-", so that none begins the keys of another.
std::string key_of(const std::string& prefix, std::uint64_t number) {
    return prefix + std::to_string(number);
}

Bytes ask(client::Group group, const std::string& query) {
    return group.query(client::ReadLevel::linearizable, as_bytes(query), 20s).get().value().reply;
}

class KvTongue final : public Tongue {
 public:
    explicit KvTongue(std::size_t padding) : padding_(padding, '.') {}
    std::string command(const std::string& key) const override { return kv::put(key, value(key)); }
    bool is_first(std::string_view reply) const override {
        return kv::tag_of(reply) == kv::Tag::created;
    }
    std::string value(const std::string& key) const override {
        return "value of " + key + padding_;
    }
    std::map<std::string, std::string> read_all(client::Group group,
                                                const std::string& prefix) const override {
        std::map<std::string, std::string> held;
        std::string end = prefix;
        ++end.back();
        std::string from = prefix;
        for (std::uint8_t more = 1; more != 0;) {
            Bytes reply = ask(group, kv::range({.from = from, .to = end}));
            auto rows = kv::parse_range(reply.text());
            for (auto& [key, text] : rows.rows) held.emplace(key, text);
            more = rows.more;
            if (more != 0) from = std::string(rows.rows.back().first) + '\0';
        }
        return held;
    }

 private:
    std::string padding_;
};

class LedgerTongue final : public Tongue {
 public:
    std::string command(const std::string& key) const override { return key; }
    bool is_first(std::string_view reply) const override {
        return Decoder(reply).get<std::uint32_t>() == 1;
    }
    std::string value(const std::string& /*key*/) const override { return "1"; }
    std::map<std::string, std::string> read_all(client::Group group,
                                                const std::string& prefix) const override {
        std::map<std::string, std::string> held;
        std::string from = prefix;
        for (std::uint8_t more = 1; more != 0;) {
            Bytes reply = ask(group, from);
            Decoder in(reply.text());
            more = in.get<std::uint8_t>();
            while (!in.rest().empty()) {
                from = in.get_string();
                std::string count = std::to_string(in.get<std::uint32_t>());
                if (from.starts_with(prefix)) held.emplace(from, count);
            }
            from += '\0';
        }
        return held;
    }
};

}  // namespace

const Tongue& kv_tongue() {
    static const KvTongue tongue(32);
    return tongue;
}
const Tongue& large_kv_tongue() {
    static const KvTongue tongue(1000);
    return tongue;
}
const Tongue& ledger_tongue() {
    static const LedgerTongue tongue;
    return tongue;
}

// What a pipeline calls, on the client's thread.
struct Load::Judge {
    Load& load;
    Writer& writer;

    void operator()(std::span<client::PipelineOutcome> outcomes) const {
        for (client::PipelineOutcome& outcome : outcomes) {
            load.ended(writer, outcome.correlation, std::visit(*this, outcome.outcome));
        }
    }
    Fate operator()(const client::Applied& applied) const {
        bool first = load.options_.tongue->is_first(applied.reply.text());
        return first ? Fate::applied : Fate::applied_twice;
    }
    Fate operator()(const client::NotApplied&) const { return Fate::refused; }
    Fate operator()(const client::Unknown&) const { return Fate::unknown; }
};

Load::Load(LoadOptions options) : options_(std::move(options)) {
    client_ =
        client::Client::connect({.endpoints = options_.endpoints, .software = "load"}).value();
    for (std::size_t i = 0; i < options_.threads; ++i) {
        auto& writer = *writers_.emplace_back(std::make_unique<Writer>());
        writer.prefix = options_.prefix + std::to_string(i) + "-";
        writer.thread = std::thread([this, &writer] { write(writer); });
    }
}

Load::~Load() {
    stop();
}

void Load::stop() {
    stopping_ = true;
    for (auto& writer : writers_) {
        if (writer->thread.joinable()) writer->thread.join();
    }
}

void Load::write(Writer& writer) {
    auto pipeline = client_->group(options_.group)
                        .pipeline({.on_outcomes = Judge{*this, writer},
                                   .window = options_.window,
                                   .timeout = options_.timeout})
                        .value();
    auto pause = std::chrono::nanoseconds(1s) / static_cast<std::int64_t>(options_.per_second);
    auto next = std::chrono::steady_clock::now();
    for (std::uint64_t number = 0; !stopping_; ++number) {
        {
            std::lock_guard lock(writer.mutex);
            writer.fates.push_back(Fate::waiting);
        }
        std::string command = options_.tongue->command(key_of(writer.prefix, number));
        pipeline->submit(number, as_bytes(command));
        // Only a pace: what was missed while the window was full is not made up for.
        next = std::max(next + pause, std::chrono::steady_clock::now() - 10ms);
        std::this_thread::sleep_until(next);
    }
    pipeline->drain();
}

void Load::ended(Writer& writer, std::uint64_t number, Fate fate) {
    std::lock_guard lock(writer.mutex);
    writer.fates.at(number) = fate;
    if (fate == Fate::applied) ++acknowledged_;
}

std::uint64_t Load::acknowledged() const {
    return acknowledged_;
}

void Load::wait_for_more(std::uint64_t count, Duration timeout) {
    std::uint64_t wanted = acknowledged_ + count;
    wait_until(timeout, [&]() -> std::string {
        if (acknowledged_ >= wanted) return {};
        return std::to_string(acknowledged_) + " of " + std::to_string(wanted) +
               " commands were acknowledged; " + summary();
    });
}

std::string Load::verify(client::Client& client) const {
    std::string wrong;
    std::size_t faults = 0;
    auto complain = [&](const std::string& key, const std::string& what) {
        if (++faults <= 5) wrong += key + " " + what + "\n";
    };
    for (const auto& writer : writers_) {
        auto held = options_.tongue->read_all(client.group(options_.group), writer->prefix);
        for (std::uint64_t number = 0; number < writer->fates.size(); ++number) {
            std::string key = key_of(writer->prefix, number);
            Fate fate = writer->fates[number];
            auto found = held.find(key);
            bool there = found != held.end();
            if (fate == Fate::waiting) complain(key, "never ended");
            if (fate == Fate::applied_twice) complain(key, "was answered as applied before");
            if (fate == Fate::applied && !there) complain(key, "was acknowledged and is lost");
            if (fate == Fate::refused && there) complain(key, "was refused and is there");
            if (there && found->second != options_.tongue->value(key)) {
                complain(key, "holds: " + found->second);
            }
            if (there) held.erase(found);
        }
        for (const auto& [key, value] : held) complain(key, "was never sent");
    }
    if (faults > 5) wrong += "and " + std::to_string(faults - 5) + " more\n";
    return wrong;
}

std::string Load::summary() const {
    std::array<std::uint64_t, 5> counts{};
    for (const auto& writer : writers_) {
        std::lock_guard lock(writer->mutex);
        for (Fate fate : writer->fates) ++counts[static_cast<std::size_t>(fate)];
    }
    return std::to_string(counts[1]) + " acknowledged, " + std::to_string(counts[3]) +
           " refused, " + std::to_string(counts[4]) + " unknown, " + std::to_string(counts[0]) +
           " under way";
}

Duration first_write(client::Client& client, const std::string& group, Duration timeout) {
    static std::atomic<std::uint64_t> number = 0;
    auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < timeout) {
        std::string command = kv::put("first-" + std::to_string(++number), "");
        auto outcome = client.group(group).submit(as_bytes(command), 2s).get();
        if (std::holds_alternative<client::Applied>(outcome)) {
            return std::chrono::steady_clock::now() - begin;
        }
    }
    throw std::runtime_error("no write to " + group + " was acknowledged in " +
                             std::to_string(timeout / 1s) + " s");
}

}  // namespace quorate::testing
