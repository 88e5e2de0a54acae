# WiredTiger ships no package file in Debian: found by hand, as WiredTiger::WiredTiger.
find_path(WIREDTIGER_INCLUDE_DIR wiredtiger.h REQUIRED)
find_library(WIREDTIGER_LIBRARY wiredtiger REQUIRED)
add_library(WiredTiger::WiredTiger UNKNOWN IMPORTED)
set_target_properties(WiredTiger::WiredTiger PROPERTIES
    IMPORTED_LOCATION "${WIREDTIGER_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${WIREDTIGER_INCLUDE_DIR}")
