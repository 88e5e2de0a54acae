// An account whose owner may go wrong: in some builds `boom` throws half-way, in others it deposits.
#include <charconv>
#include <quorate/machine.hpp>
#include <stdexcept>

namespace {

struct Bank {
    static constexpr std::uint32_t version = BANK_MACHINE_VERSION;
    static constexpr std::uint32_t version_min = 1;
    static constexpr quorate::Usage commands[] = {{"deposit N", "adds N"},
                                                  {"boom", "adds 1000, or throws"}};
    static constexpr quorate::Usage queries[] = {{"balance", "what is there"}};
    static constexpr std::uint64_t boom = ~std::uint64_t{0};

    std::uint64_t balance = 0;

    void apply(quorate::Command command, quorate::Effects& fx) {
        auto amount = command.as<std::uint64_t>();
        if (amount == boom) {
            balance += 7;  // half of it: nobody may ever see this
            if (BANK_FAULTS) throw std::runtime_error("boom:\nof several lines");
            balance += 993;
        } else {
            balance += amount;
        }
        fx.reply(balance);
    }
    void query(std::string_view, quorate::Writer out) const { out.put(balance); }
    void save(quorate::Writer out) const { out.put(balance); }
    void load(quorate::Reader in, std::uint32_t /*from_version*/) {
        balance = in.get<std::uint64_t>();
    }

    static void encode_command(quorate::Words words, quorate::Writer out) {
        std::uint64_t amount = boom;
        if (words.size() == 2 && words[0] == "deposit") {
            const char* end = words[1].data() + words[1].size();
            auto [rest, error] = std::from_chars(words[1].data(), end, amount);
            if (error != std::errc() || rest != end) quorate::reject_malformed("write: deposit N");
        } else if (words.size() != 1 || words[0] != "boom") {
            quorate::reject_malformed("write: deposit N, or boom");
        }
        out.put(amount);
    }
    static void encode_query(quorate::Words, quorate::Writer) {}
    static void render_reply(quorate::Words, std::string_view reply, quorate::Writer out) {
        out.write(std::to_string(quorate::Decoder(reply).get<std::uint64_t>()));
    }
};

}  // namespace

QUORATE_PLUGIN(Bank, "test.bank", BANK_VERSION);
