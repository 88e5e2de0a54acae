#include "tests/sim/sim_client.hpp"

#include "host/group/command.hpp"

namespace quorate::sim {

void SimClient::think() {
    busy_ = false;
    if (stopped_) return;
    Duration pause = between(random_, Duration(1ms), settings_.think + 1ms);
    loop_.at(loop_.now() + pause + rest(), 0, [this] { act(); });
}

// All rest at the same times, that groups may sleep; now and then one does not.
Duration SimClient::rest() {
    if (settings_.rest_for == 0s || chance(random_, 0.05)) return {};
    Duration day = settings_.busy_for + settings_.rest_for;
    Duration today = loop_.now().time_since_epoch() % day;
    return today < settings_.busy_for ? Duration{} : day - today;
}

void SimClient::host_died(Owner life) {
    if (busy_ && at_ == life) done(turn_);
}

void SimClient::done(std::uint64_t turn) {
    if (turn != turn_) return;
    ++turn_;
    think();
}

void SimClient::act() {
    if (stopped_) return;
    SimHost& host = *hosts_[random_() % hosts_.size()];
    if (!host.serving()) return think();
    busy_ = true;
    at_ = host.life();
    std::uint64_t turn = turn_;
    std::string group = "g" + std::to_string(random_() % settings_.groups);
    host.with_group(group, loop_.now() + settings_.client_timeout,
                    [this, turn, &host](Result<group::GroupPort*> port) {
                        if (turn != turn_) return;
                        if (!port.has_value()) return done(turn);
                        chance(random_, 0.6) ? command(host, **port) : query(host, **port);
                    });
}

std::string SimClient::next_command() {
    std::string value = name_ + "." + std::to_string(++values_);
    std::string command;
    std::uint64_t kind = random_() % 10;
    if (kind < 6) {
        command = kv::put(key(), value);
    } else if (kind < 9) {
        kv::Value expected = last_value_.empty() ? std::nullopt : kv::Value(last_value_);
        command = kv::cas({key(), expected, kv::Value(value)});
    } else {
        return kv::erase(key());
    }
    last_value_ = value;
    return command;
}

void SimClient::command(SimHost&, group::GroupPort& group) {
    std::string payload = next_command();
    bool may_repeat = static_cast<kv::Op>(payload.front()) == kv::Op::erase;
    auto operation = witness_.begin(group.id(), may_repeat ? std::string() : payload, {});
    Bytes command =
        group::make_command({.time_ms = loop_.now().time_since_epoch() / 1ms}, as_bytes(payload));
    std::uint64_t turn = turn_;
    group.submit(command, loop_.now() + settings_.client_timeout,
                 [this, turn, operation](group::Outcome outcome) {
                     if (turn != turn_) return;
                     witness_.ended(operation, outcome);
                     loop_.mix(outcome.index() + 1);
                     done(turn);
                 });
}

void SimClient::query(SimHost&, group::GroupPort& group) {
    std::string wanted = key();
    auto level = static_cast<group::ReadLevel>(random_() % 3);
    auto operation = witness_.begin(group.id(), {}, wanted);
    Bytes query = Bytes::copy_of(kv::get(wanted));
    std::uint64_t turn = turn_;
    group.query(level, Index{}, query, loop_.now() + settings_.client_timeout,
                [this, turn, operation, level](Result<group::QueryAnswer> answer) {
                    if (turn != turn_) return;
                    if (answer.has_value()) witness_.ended(operation, *answer, level);
                    loop_.mix(answer.has_value() ? answer->at.index.value() : 7);
                    done(turn);
                });
}

}  // namespace quorate::sim
