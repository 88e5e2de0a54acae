// The key-value machine: an ordered map from byte strings to byte strings. README.md has its
// commands.
#include "protocol.hpp"
#include "text.hpp"

#include <quorate/cow_map.hpp>
#include <quorate/machine.hpp>

namespace {

namespace kv = quorate::kv;
using quorate::Decoder;
using quorate::Encoder;

class Kv {
 public:
    static constexpr const auto& commands = kv::command_usages;
    static constexpr const auto& queries = kv::query_usages;

    void apply(quorate::Command command, quorate::Effects& fx) {
        Decoder in(command.bytes());
        auto op = in.get<kv::Op>();
        std::string_view key = checked_key(in.get_string());
        switch (op) {
            case kv::Op::put:
                return put(key, in, fx);
            case kv::Op::erase:
                return erase(key, in, fx);
            case kv::Op::cas:
                return cas(key, in, fx);
            default:
                quorate::reject_malformed("not a command of the kv machine");
        }
    }

    void query(std::string_view question, quorate::Writer out) const {
        Decoder in(question);
        auto op = in.get<kv::Op>();
        std::string_view from = in.get_string();
        switch (op) {
            case kv::Op::get:
                return get(from, in, out);
            case kv::Op::range:
                return range(from, in, out);
            case kv::Op::count:
                return count(from, in, out);
            default:
                quorate::reject_malformed("not a query of the kv machine");
        }
    }

    // The snapshot: the number of keys, then each key and its value, in key order.
    void save(quorate::Writer out) const {
        out.put(static_cast<std::uint64_t>(map_.size()));
        for (const auto& [key, value] : map_) {
            out.put_string(key);
            out.put_string(value);
        }
    }
    void load(quorate::Reader in, std::uint32_t /*from_version*/) {
        auto keys = in.get<std::uint64_t>();
        std::string last;
        for (std::uint64_t i = 0; i < keys; ++i) {
            std::string key = in.get_string(kv::key_size_max);
            if (i > 0 && key <= last)
                quorate::reject_malformed("the snapshot's keys are out of order");
            last = key;
            store(std::move(key), in.get_string(kv::value_size_max));
        }
    }

    std::string overview() const {
        return "{\"keys\":" + std::to_string(map_.size()) + ",\"bytes\":" + std::to_string(bytes_) +
               "}";
    }

    static void encode_command(quorate::Words words, quorate::Writer out) {
        kv::encode_command(words, out);
    }
    static void encode_query(quorate::Words words, quorate::Writer out) {
        kv::encode_query(words, out);
    }
    static void render_reply(quorate::Words words, std::string_view reply, quorate::Writer out) {
        kv::render_reply(words, reply, out);
    }

 private:
    static std::string_view checked_key(std::string_view key) {
        if (key.empty() || key.size() > kv::key_size_max) {
            quorate::reject(kv::rejected_key_size, "a key has 1 to 1024 bytes");
        }
        return key;
    }
    static std::string_view checked_value(std::string_view value) {
        if (value.size() > kv::value_size_max) {
            quorate::reject(kv::rejected_value_size, "a value has at most 4 MiB");
        }
        return value;
    }

    void put(std::string_view key, Decoder in, quorate::Effects& fx) {
        std::string_view value = checked_value(in.get_string());
        in.expect_end();
        fx.reply(store(std::string(key), std::string(value)));
    }
    void erase(std::string_view key, Decoder in, quorate::Effects& fx) {
        in.expect_end();
        fx.reply(remove(key));
    }
    void cas(std::string_view key, Decoder in, quorate::Effects& fx) {
        kv::Value expected = kv::get_value(in);
        kv::Value desired = kv::get_value(in);
        in.expect_end();
        if (desired) checked_value(*desired);
        const std::string* held = map_.find(key);
        kv::Value actual = held != nullptr ? kv::Value(*held) : std::nullopt;
        if (actual != expected) {
            Encoder reply;
            reply.put(kv::Tag::mismatch);
            kv::put_value(reply, actual);
            return fx.reply(reply.bytes());
        }
        if (desired)
            store(std::string(key), std::string(*desired));
        else
            remove(key);
        fx.reply(kv::Tag::swapped);
    }

    kv::Tag store(std::string key, std::string value) {
        const std::string* held = map_.find(key);
        bytes_ += value.size();
        bytes_ += held == nullptr ? key.size() : 0;
        bytes_ -= held == nullptr ? 0 : held->size();
        return map_.put(std::move(key), std::move(value)) ? kv::Tag::created : kv::Tag::replaced;
    }
    kv::Tag remove(std::string_view key) {
        const std::string* held = map_.find(key);
        if (held == nullptr) return kv::Tag::absent;
        bytes_ -= key.size() + held->size();
        map_.erase(key);
        return kv::Tag::erased;
    }

    void get(std::string_view key, Decoder in, quorate::Writer out) const {
        in.expect_end();
        const std::string* held = map_.find(key);
        out.put(held == nullptr ? kv::Tag::absent : kv::Tag::found);
        if (held != nullptr) out.write(*held);
    }
    void range(std::string_view from, Decoder in, quorate::Writer out) const {
        std::string_view to = in.get_string();
        std::uint32_t limit = std::min(in.get<std::uint32_t>(), kv::range_rows_max);
        in.expect_end();
        Encoder rows;
        auto row = map_.lower_bound(from);
        auto is_inside = [&] { return row != map_.end() && (to.empty() || row->first < to); };
        for (std::uint32_t i = 0; i < limit && rows.bytes().size() <= kv::range_bytes_max;
             ++i, ++row) {
            if (!is_inside()) break;
            rows.put_string(row->first);
            rows.put_string(row->second);
        }
        out.put(kv::Tag::rows);
        out.put(static_cast<std::uint8_t>(is_inside()));
        out.write(rows.bytes());
    }
    void count(std::string_view from, Decoder in, quorate::Writer out) const {
        std::string_view to = in.get_string();
        in.expect_end();
        std::size_t begin = map_.rank(from);
        std::size_t end = to.empty() ? map_.size() : map_.rank(to);
        out.put(kv::Tag::number);
        out.put(static_cast<std::uint64_t>(end > begin ? end - begin : 0));
    }

    quorate::CowMap<std::string, std::string> map_;
    std::uint64_t bytes_ = 0;  // of all keys and values
};

}  // namespace

QUORATE_PLUGIN(Kv, "quorate.kv", "0.1.0");
