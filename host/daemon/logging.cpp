#include "host/daemon/logging.hpp"

#include "host/base/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace quorate::daemon {
namespace log_format {

std::string escape_json(std::string_view text) {
    std::string escaped;
    for (char c : text) {
        switch (c) {
            case '"':
                escaped += "\\\"";
                break;
            case '\\':
                escaped += "\\\\";
                break;
            case '\n':
                escaped += "\\n";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    escaped += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
                } else {
                    escaped += c;
                }
        }
    }
    return escaped;
}

}  // namespace log_format

namespace {

using log_format::escape_json;

spdlog::level::level_enum spd_level(log::Level level) {
    switch (level) {
        case log::Level::debug:
            return spdlog::level::debug;
        case log::Level::info:
            return spdlog::level::info;
        case log::Level::warning:
            return spdlog::level::warn;
        case log::Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string_view name_of(log::Level level) {
    switch (level) {
        case log::Level::debug:
            return "debug";
        case log::Level::info:
            return "info";
        case log::Level::warning:
            return "warning";
        case log::Level::error:
            return "error";
    }
    return "error";
}

std::string timestamp() {
    auto now =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds),
                       (now - seconds).count());
}

struct AsText {
    std::string operator()(const std::string& text) const {
        bool plain = !text.empty() && std::ranges::none_of(text, [](char c) {
            return c == ' ' || c == '"' || c == '=' || static_cast<unsigned char>(c) < 0x20;
        });
        return plain ? text : '"' + escape_json(text) + '"';
    }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(auto number) const { return std::to_string(number); }
};

struct AsJson {
    std::string operator()(const std::string& text) const { return '"' + escape_json(text) + '"'; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(auto number) const { return std::to_string(number); }
};

std::string text_line(const log::Event& event) {
    std::string line =
        fmt::format("{} {} {} {}", timestamp(), name_of(event.level), event.name, event.text);
    for (const log::Field& field : event.fields) {
        line += fmt::format(" {}={}", field.key, std::visit(AsText{}, field.value));
    }
    // A line stays a line, whatever a text holds.
    std::ranges::replace(line, '\n', ' ');
    return line;
}

std::string json_line(const log::Event& event, const std::string& host) {
    std::string line = fmt::format(
        R"({{"ts":"{}","level":"{}","event":"{}","text":"{}","host":"{}")", timestamp(),
        name_of(event.level), escape_json(event.name), escape_json(event.text), escape_json(host));
    for (const log::Field& field : event.fields) {
        line +=
            fmt::format(R"(,"{}":{})", escape_json(field.key), std::visit(AsJson{}, field.value));
    }
    return line + "}";
}

}  // namespace

void start_logging(const Config& config) {
    auto logger = std::make_shared<spdlog::logger>(
        "quorate", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%v");
    logger->set_level(spdlog::level::from_str(config.log_level));
    logger->flush_on(spdlog::level::debug);
    bool json = config.log_format == "json";
    log::set_sink([logger, json, host = config.host_name](const log::Event& event) {
        spdlog::level::level_enum level = spd_level(event.level);
        if (!logger->should_log(level)) return;
        logger->log(level, json ? json_line(event, host) : text_line(event));
    });
}

void flush_log() {
    spdlog::apply_all([](const std::shared_ptr<spdlog::logger>& l) { l->flush(); });
}

}  // namespace quorate::daemon
