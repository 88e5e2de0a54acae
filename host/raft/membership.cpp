#include "host/raft/membership.hpp"
