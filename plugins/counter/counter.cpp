// The smallest machine that ships: a number to add to.
#include <charconv>
#include <quorate/machine.hpp>

namespace {

struct Counter {
    static constexpr quorate::Usage commands[] = {
        {"add N", "adds N, which may be negative, and replies with the new value"}};
    static constexpr quorate::Usage queries[] = {{"get", "the value"}};

    std::int64_t value = 0;

    // A command is one little-endian 64-bit number; the reply is the new value in the same form.
    // Adding wraps around: a sum that does not fit must not be a fault, and not undefined either.
    void apply(quorate::Command command, quorate::Effects& fx) {
        auto sum = static_cast<std::uint64_t>(value) + command.as<std::uint64_t>();
        value = static_cast<std::int64_t>(sum);
        fx.reply(value);
    }
    void query(std::string_view, quorate::Writer out) const { out.put(value); }
    void save(quorate::Writer out) const { out.put(value); }
    void load(quorate::Reader in, std::uint32_t /*from_version*/) {
        value = in.get<std::int64_t>();
    }
    std::string overview() const { return "{\"value\":" + std::to_string(value) + "}"; }

    static void encode_command(quorate::Words words, quorate::Writer out) {
        if (words.size() != 2 || words[0] != "add") quorate::reject_malformed("write: add N");
        std::int64_t number = 0;
        const char* end = words[1].data() + words[1].size();
        auto [rest, error] = std::from_chars(words[1].data(), end, number);
        if (error != std::errc() || rest != end) {
            quorate::reject_malformed("\"" + std::string(words[1]) + "\" is not a 64-bit integer");
        }
        out.put(number);
    }
    static void encode_query(quorate::Words words, quorate::Writer) {
        if (words.size() != 1 || words[0] != "get") quorate::reject_malformed("write: get");
    }
    static void render_reply(quorate::Words, std::string_view reply, quorate::Writer out) {
        out.write(std::to_string(quorate::Decoder(reply).get<std::int64_t>()));
    }
};

}  // namespace

QUORATE_PLUGIN(Counter, "quorate.counter", "0.1.0");
