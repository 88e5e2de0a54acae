#include "rpc/cli/encode.hpp"
#include "rpc/cli/verb.hpp"
#include "rpc/client/rejection.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <limits>

namespace quorate::cli {
namespace {

using Kind = Parameter::Kind;

std::string as_hex(ByteView bytes) {
    std::string hex;
    for (std::byte b : bytes) hex += fmt::format("{:02x}", std::to_integer<unsigned>(b));
    return hex;
}

struct Shown {
    std::string text;
    boost::json::object data;
};

// The host has rendered the reply, by what the machine declares or else as text or hex.
Shown show(std::string_view rendered, const Bytes& reply, EntryId at) {
    boost::json::object data{{"text", rendered},
                             {"replyHex", as_hex(reply.view())},
                             {"index", number(at.index.value())},
                             {"term", number(at.term.value())}};
    return {std::string(rendered), std::move(data)};
}

struct Report {
    Invocation& call;
    const std::string& rendered;

    Result<int> operator()(const client::Applied& applied) const {
        Shown shown = show(rendered, applied.reply, applied.entry);
        shown.data["outcome"] = "applied";
        auto rejection = client::rejection_of(applied.reply.view());
        shown.data["rejected"] = rejection.has_value();
        if (rejection) {
            shown.data["rejection"] =
                boost::json::object{{"code", rejection->code}, {"text", rejection->text}};
        }
        call.out().answer("submit", std::move(shown.data), shown.text);
        return rejection ? exit_rejected : 0;
    }
    Result<int> operator()(const client::NotApplied& refused) const {
        print_error(call.settings().format, refused.error, Effect::not_applied);
        return exit_code(refused.error.code);
    }
    Result<int> operator()(const client::Unknown& unknown) const {
        print_error(call.settings().format, unknown.error, Effect::unknown);
        return 4;
    }
};

Result<int> submit(Invocation& call) {
    TRY(client::Client * client, call.client());
    client::TextOutcome end =
        client->group(call.value("group")).submit_text(call.values("words"), call.timeout()).get();
    return std::visit(Report{call, end.text}, end.outcome);
}

Result<int> query(Invocation& call) {
    TRY(client::ReadLevel level, call.read_level("read"));
    TRY(std::uint64_t at_least,
        call.number("at-least", 0, std::numeric_limits<std::uint64_t>::max()));
    TRY(client::Client * client, call.client());
    TRY(auto answer, client->group(call.value("group"))
                         .query_text(level, call.values("words"), call.timeout(), Index(at_least))
                         .get());
    Shown shown = show(answer.text, answer.answer.reply, answer.answer.at);
    shown.data["leader"] = answer.answer.leader;
    call.out().answer("query", std::move(shown.data), shown.text);
    return 0;
}

}  // namespace

std::vector<Verb> command_verbs() {
    Parameter group{.name = "group", .help = "the group's name"};
    Parameter words{.name = "words",
                    .help =
                        "as the machine's descriptor declares (plugin show); after -- any words, "
                        "also such as begin with -",
                    .kind = Kind::rest,
                    .type = "WORD"};
    return {
        {"", "submit", "submit a command and wait for its outcome", {group, words}, {}, submit},
        {"",
         "query",
         "ask a group's machine",
         {group, words},
         {{"read", "how fresh the answer is", Kind::optional, "linearizable",
           "local|leader|linearizable"},
          {"at-least", "answer from a state that holds this index", Kind::optional, "0", "INDEX"}},
         query},
    };
}

}  // namespace quorate::cli
