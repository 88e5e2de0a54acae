// Boost.JSON's one translation unit: Debian's package of its headers brings no library for it.
#include <boost/json/src.hpp>
