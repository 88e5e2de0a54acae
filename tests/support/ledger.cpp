// A machine that counts how often each command was applied to it: what is found at the end says of
// every command whether it was lost, or applied twice.
#include "ledger.hpp"

#include <algorithm>
#include <quorate/cow_map.hpp>
#include <quorate/machine.hpp>

namespace {

using quorate::testing::ledger_rows_max;

class Ledger {
 public:
    void apply(quorate::Command command, quorate::Effects& fx) {
        std::string key(command.bytes());
        const std::uint32_t* held = counts_.find(key);
        std::uint32_t count = held == nullptr ? 1 : *held + 1;
        counts_.put(std::move(key), count);
        fx.reply(count);
    }
    // From the key that the question names, rows of (key, count); the first byte tells of more.
    void query(std::string_view from, quorate::Writer out) const {
        quorate::Encoder rows;
        auto row = counts_.lower_bound(from);
        for (std::uint32_t i = 0; i < ledger_rows_max && row != counts_.end(); ++i, ++row) {
            rows.put_string(row->first);
            rows.put(row->second);
        }
        out.put(static_cast<std::uint8_t>(row != counts_.end()));
        out.write(rows.bytes());
    }
    void save(quorate::Writer out) const {
        out.put(static_cast<std::uint64_t>(counts_.size()));
        for (const auto& [key, count] : counts_) {
            out.put_string(key);
            out.put(count);
        }
    }
    void load(quorate::Reader in, std::uint32_t /*from_version*/) {
        auto keys = in.get<std::uint64_t>();
        for (std::uint64_t i = 0; i < keys; ++i) {
            std::string key = in.get_string(1024);
            counts_.put(std::move(key), in.get<std::uint32_t>());
        }
    }

 private:
    quorate::CowMap<std::string, std::uint32_t> counts_;
};

}  // namespace

QUORATE_PLUGIN(Ledger, "test.ledger", "1.0.0");
