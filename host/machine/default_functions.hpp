#pragma once

#include <quorate/plugin.h>

namespace quorate::machine {

// Puts a function of the host's where an optional one of the plugin's is null: the calls that a
// machine does not offer answer QR_UNSUPPORTED, upgrade and sync have nothing to do, the overview
// is {}.
void set_default_functions(qr_machine_type& table);

}  // namespace quorate::machine
