#include "host/group/group_port.hpp"

#include "host/group/host_shard.hpp"
#include "host/group/names.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

// Bytes that no machine is here to render: as text if they are text, else in hex.
std::string rendered_plainly(ByteView bytes) {
    auto printable = [](std::byte b) {
        auto c = static_cast<unsigned char>(b);
        return c >= 0x20 && c < 0x7f;
    };
    if (std::all_of(bytes.begin(), bytes.end(), printable)) return std::string(as_text(bytes));
    constexpr char digits[] = "0123456789abcdef";
    std::string out = "0x";
    for (std::byte b : bytes) {
        out += digits[static_cast<unsigned>(b) >> 4];
        out += digits[static_cast<unsigned>(b) & 15];
    }
    return out;
}

}  // namespace

HostName HostGroupPort::leader() const {
    bool owned = shard_.host().owner_of(group_->id) == shard_.index();
    return owned ? shard_.courier().leader(group_->id) : *heard_;
}

template <class T>
std::function<void(T)> HostGroupPort::from_owner(std::size_t owner, std::function<void(T)> done) {
    struct Told {
        HostName leader;
        T answer;
    };
    std::function<void(Told)> hear = [heard = heard_, done = std::move(done)](Told told) {
        *heard = std::move(told.leader);
        done(std::move(told.answer));
    };
    auto back = shard_.back_from(owner, std::move(hear));
    return [&there = *shard_.host().shards[owner], group = group_->id,
            back = std::move(back)](T answer) {
        back(Told{there.courier().leader(group), std::move(answer)});
    };
}

void HostGroupPort::submit(Bytes payload, Time deadline, std::function<void(Outcome)> done) {
    std::size_t owner = shard_.host().owner_of(group_->id);
    if (owner == shard_.index()) {
        return shard_.courier().submit(group_, std::move(payload), deadline, std::move(done));
    }
    shard_.at(owner, [group = group_, payload = std::move(payload), deadline,
                      done = from_owner(owner, std::move(done))](HostShard& there) mutable {
        there.courier().submit(std::move(group), std::move(payload), deadline, std::move(done));
    });
}

void HostGroupPort::query(ReadLevel level, Index at_least, Bytes query, Time deadline,
                          Reply<QueryAnswer> done) {
    std::size_t owner = shard_.host().owner_of(group_->id);
    Courier::Query wanted{level, at_least, std::move(query)};
    if (owner == shard_.index()) {
        return shard_.courier().query(group_, std::move(wanted), deadline, std::move(done));
    }
    shard_.at(owner, [group = group_, wanted = std::move(wanted), deadline,
                      done = from_owner(owner, std::move(done))](HostShard& there) mutable {
        there.courier().query(std::move(group), std::move(wanted), deadline, std::move(done));
    });
}

Result<Bytes> HostGroupPort::encode_command(std::span<const std::string> words) {
    TRY(const machine::Machine* machine, text());
    return machine->encode_command(words);
}

Result<Bytes> HostGroupPort::encode_query(std::span<const std::string> words) {
    TRY(const machine::Machine* machine, text());
    return machine->encode_query(words);
}

std::string HostGroupPort::render_reply(std::span<const std::string> words, ByteView reply) {
    Result<const machine::Machine*> machine = text();
    return machine ? (*machine)->render_reply(words, reply) : rendered_plainly(reply);
}

Result<const machine::Machine*> HostGroupPort::text() {
    if (scratch_) return scratch_.get();
    auto made = shard_.host().environment.machines.create(machine_, group_->id);
    if (!made) {
        return within("group " + quoted(group_->name) + " on host " + quoted(shard_.name()),
                      made.error());
    }
    scratch_ = std::move(*made);
    return scratch_.get();
}

}  // namespace quorate::group
