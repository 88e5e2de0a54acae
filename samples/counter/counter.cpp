#include <quorate/machine.hpp>

namespace {
struct Counter {
    std::uint64_t value = 0;
    void apply(quorate::Command c, quorate::Effects& fx) {
        fx.reply(value += c.as<std::uint64_t>());
    }
    void query(std::string_view, quorate::Writer out) const { out.put(value); }
    void save(quorate::Writer out) const { out.put(value); }
    void load(quorate::Reader in, std::uint32_t) { value = in.get<std::uint64_t>(); }
};
}  // namespace
QUORATE_PLUGIN(Counter, "demo.counter", "1.0.0");
