#pragma once

#include "host/base/result.hpp"
#include "host/daemon/config.hpp"

#include <string>

namespace quorate::daemon {

// Sends host/base/log.hpp's events to standard error, one line each: for people
//   2026-11-21T08:10:09.123Z info leader_elected this host leads group=demo term=3
// or as JSON objects with ts, level, event, text, host and the event's fields.
// Once, before other threads run.
void start_logging(const Config& config);

// Writes what is buffered; the last call before the process ends.
void flush_log();

// One event as a line, without the line's end. Control characters and quotes in values are escaped.
namespace log_format {
std::string escape_json(std::string_view text);
}

}  // namespace quorate::daemon
