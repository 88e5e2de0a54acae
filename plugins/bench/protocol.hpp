#pragma once

// The bytes of the bench machine's commands, queries and replies, for the load generator and its tests.

#include <cstdint>
#include <map>
#include <quorate/codec.hpp>
#include <string>
#include <string_view>

namespace quorate::bench {

inline constexpr std::size_t command_bytes_min = 12;  // what says whose it is, and which
inline constexpr std::size_t slots = 64;              // values that a machine holds

// What was applied of one writer's commands. Each command has a number of its own, so that `count` and
// `sum` together tell a command that is missing from one that was applied twice.
struct Account {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;

    void add(std::uint64_t number) {
        ++count;
        sum += mixed(number);
    }
    friend bool operator==(const Account&, const Account&) = default;

 private:
    static std::uint64_t mixed(std::uint64_t number) {  // splitmix64's last steps
        number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ull;
        number = (number ^ (number >> 27)) * 0x94d049bb133111ebull;
        return number ^ (number >> 31);
    }
};
using Accounts = std::map<std::uint32_t, Account>;

// --- commands: the writer, the command's number, and as much padding as the workload asks for -----------
inline void write_command(char* at, std::uint32_t writer, std::uint64_t number) {
    Encoder head;
    head.put(writer);
    head.put(number);
    head.bytes().copy(at, command_bytes_min);
}

// --- queries: a slot's value, or every account -----------------------------------------------------------
enum class Ask : std::uint8_t { slot = 1, accounts = 2 };

inline std::string ask_slot(std::uint32_t slot) {
    Encoder out;
    out.put(Ask::slot);
    out.put(slot);
    return out.take();
}
inline std::string ask_accounts() {
    Encoder out;
    out.put(Ask::accounts);
    return out.take();
}

inline void put_accounts(Encoder& out, const Accounts& accounts) {
    out.put(static_cast<std::uint32_t>(accounts.size()));
    for (const auto& [writer, account] : accounts) {
        out.put(writer);
        out.put(account.count);
        out.put(account.sum);
    }
}
inline Accounts parse_accounts(std::string_view reply) {
    Decoder in(reply);
    Accounts accounts;
    for (auto left = in.get<std::uint32_t>(); left > 0; --left) {
        auto writer = in.get<std::uint32_t>();
        auto count = in.get<std::uint64_t>();
        accounts[writer] = {count, in.get<std::uint64_t>()};
    }
    return accounts;
}

}  // namespace quorate::bench
