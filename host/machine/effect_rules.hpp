#pragma once

#include "host/base/bytes.hpp"
#include "host/base/strong.hpp"

#include <quorate/effect.h>
#include <string>

namespace quorate::machine {

// What is wrong with an effect record that a machine emitted while it applied the entry at `index`;
// empty if it is as quorate/effect.h says: sizes that fit, a known kind, only the fields and flags
// that the kind has, zeros elsewhere. Since every member of a group runs the same build, all find
// the same. Pre: `record` points at as many readable bytes as its size field says. Pure.
std::string effect_defect(const qr_effect* record, Index index);

// The whole record as bytes. Pre: no defect.
ByteView effect_bytes(const qr_effect* record);

}  // namespace quorate::machine
