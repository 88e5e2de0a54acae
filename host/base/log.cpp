#include "host/base/log.hpp"

#include <utility>

namespace quorate::log {
namespace {

// The one process-wide object: where a line goes is a property of the process.
Sink& sink() {
    static Sink current;
    return current;
}

}  // namespace

void set_sink(Sink replacement) {
    sink() = std::move(replacement);
}

void write(const Event& event) {
    if (sink()) sink()(event);
}

}  // namespace quorate::log
