#pragma once

// The kv machine's commands and queries as words.

#include "protocol.hpp"

#include <charconv>
#include <quorate/command.hpp>
#include <quorate/stream.hpp>

namespace quorate::kv {

inline constexpr Usage command_usages[] = {
    {"put KEY VALUE", "stores VALUE under KEY"},
    {"delete KEY", "removes KEY"},
    {"cas KEY OLD NEW", "stores NEW if KEY holds OLD; replies with what it holds if not"},
    {"create KEY VALUE", "stores VALUE if KEY is absent"},
    {"cad KEY OLD", "removes KEY if it holds OLD"},
};
inline constexpr Usage query_usages[] = {
    {"get KEY", "the value of KEY"},
    {"range [FROM [TO [LIMIT]]]", "keys from FROM up to but not TO, in byte order; - for no bound"},
    {"count [FROM [TO]]", "how many keys are in that range"},
};

inline void encode_command(Words words, Writer out) {
    auto is = [&](std::string_view verb, std::size_t size) {
        return words[0] == verb && words.size() == size;
    };
    if (is("put", 3)) return out.write(put(words[1], words[2]));
    if (is("delete", 2)) return out.write(erase(words[1]));
    if (is("cas", 4)) return out.write(cas({words[1], words[2], words[3]}));
    if (is("create", 3)) return out.write(cas({words[1], std::nullopt, words[2]}));
    if (is("cad", 3)) return out.write(cas({words[1], words[2], std::nullopt}));
    reject_malformed(
        "write: put KEY VALUE | delete KEY | cas KEY OLD NEW | create KEY VALUE | cad KEY OLD");
}

inline std::uint32_t parse_limit(std::string_view word) {
    std::uint32_t limit = 0;
    const char* end = word.data() + word.size();
    auto [rest, error] = std::from_chars(word.data(), end, limit);
    if (error != std::errc() || rest != end) {
        reject_malformed("\"" + std::string(word) + "\" is not a number of rows");
    }
    return limit;
}

inline void encode_query(Words words, Writer out) {
    auto bound = [&](std::size_t i) {
        return i < words.size() && words[i] != "-" ? words[i] : std::string_view();
    };
    if (words[0] == "get" && words.size() == 2) return out.write(get(words[1]));
    if (words[0] == "range" && words.size() <= 4) {
        std::uint32_t limit = words.size() == 4 ? parse_limit(words[3]) : range_rows_max;
        return out.write(range({bound(1), bound(2), limit}));
    }
    if (words[0] == "count" && words.size() <= 3) return out.write(count(bound(1), bound(2)));
    reject_malformed("write: get KEY | range [FROM [TO [LIMIT]]] | count [FROM [TO]]");
}

inline void render_rows(std::string_view reply, Writer out) {
    RangeReply parsed = parse_range(reply);
    bool first = true;
    for (auto [key, value] : parsed.rows) {
        if (!first) out.write("\n");
        out.write(key);
        out.write("\t");
        out.write(value);
        first = false;
    }
    if (parsed.more != 0) out.write(first ? "..." : "\n...");
    if (parsed.more == 0 && parsed.rows.empty()) out.write("(empty)");
}

inline void render_reply(Words, std::string_view reply, Writer out) {
    switch (tag_of(reply)) {
        case Tag::created:
            return out.write("created");
        case Tag::replaced:
            return out.write("replaced");
        case Tag::erased:
            return out.write("deleted");
        case Tag::absent:
            return out.write("(absent)");
        case Tag::swapped:
            return out.write("swapped");
        case Tag::mismatch: {
            CasReply parsed = parse_cas(reply);
            out.write(parsed.actual ? "mismatch: it holds " : "mismatch: it is absent");
            if (parsed.actual) out.write(*parsed.actual);
            return;
        }
        case Tag::found:
            return out.write(*parse_get(reply));
        case Tag::rows:
            return render_rows(reply, out);
        case Tag::number:
            return out.write(std::to_string(parse_count(reply)));
    }
    reject_malformed("not a reply of the kv machine");
}

}  // namespace quorate::kv
