#pragma once

namespace quorate::rpc {

// What std::visit takes: one function object of several lambdas.
template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

}  // namespace quorate::rpc
