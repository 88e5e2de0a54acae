#include "host/machine/plugin_probe.hpp"

// As quorated does with --probe-plugin FILE.
int main(int argc, char** argv) {
    if (argc != 3) return 1;
    quorate::machine::run_probe(argv[2], {.name = "probe", .version = "1"});
}
