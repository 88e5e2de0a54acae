// The machine that `quorate bench` loads: it holds the last value of each of 64 slots, and remembers
// of every writer what was applied, so that a run can be verified.
#include "protocol.hpp"

#include <quorate/machine.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace bench = quorate::bench;
using quorate::Decoder;
using quorate::Encoder;

class Bench {
 public:
    void apply(quorate::Command command, quorate::Effects& fx) {
        Decoder in(command.bytes());
        auto writer = in.get<std::uint32_t>();
        auto number = in.get<std::uint64_t>();
        accounts_[writer].add(number);
        values()[number % bench::slots] = command.bytes();
        fx.reply(accounts_[writer].count);
    }

    void query(std::string_view question, quorate::Writer out) const {
        Decoder in(question);
        switch (in.get<bench::Ask>()) {
            case bench::Ask::slot:
                return out.write(value_of(in.get<std::uint32_t>() % bench::slots));
            case bench::Ask::accounts: {
                Encoder rows;
                bench::put_accounts(rows, accounts_);
                return out.write(rows.bytes());
            }
            default:
                quorate::reject_malformed("not a query of the bench machine");
        }
    }

    void save(quorate::Writer out) const {
        Encoder rows;
        bench::put_accounts(rows, accounts_);
        out.put_string(rows.bytes());
        for (std::uint32_t slot = 0; slot < bench::slots; ++slot) out.put_string(value_of(slot));
    }
    void load(quorate::Reader in, std::uint32_t /*from_version*/) {
        accounts_ = bench::parse_accounts(in.get_string(accounts_bytes_max));
        for (std::string& value : values()) value = in.get_string(value_bytes_max);
    }

 private:
    // Not there before the first command: an idle group is to cost what the host needs for it.
    std::vector<std::string>& values() {
        if (values_.empty()) values_.resize(bench::slots);
        return values_;
    }
    std::string_view value_of(std::uint32_t slot) const {
        return values_.empty() ? std::string_view() : std::string_view(values_[slot]);
    }

    static constexpr std::size_t accounts_bytes_max = 64u << 20;
    static constexpr std::size_t value_bytes_max = 64u << 20;

    bench::Accounts accounts_;
    std::vector<std::string> values_;
};

}  // namespace

QUORATE_PLUGIN(Bench, "quorate.bench", "1.0.0");
