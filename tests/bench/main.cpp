#include <cstdio>

#include "core/base/error.h"
#include "tests/bench/benchmarks.h"

int main(int argc, char** argv) {
    CLI::App app("Timed programs of Calibench, and the check of its kernels");
    app.require_subcommand(1);
    calibench::bench::add_observers(app);
    calibench::bench::add_autoround(app);
    calibench::bench::add_check(app);
    calibench::bench::add_inspection(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    } catch (const calibench::Error& error) {
        std::fprintf(stderr, "calibench-bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
