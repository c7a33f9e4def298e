// A library of its own, so that it is initialised before the OpenMP runtime, which reads its settings once, when it is loaded.
//
// Between two parallel loops GNU OpenMP's threads spin for about a millisecond before they sleep. On a machine that does anything
// else as well, each of them then holds up the very thread that the others wait for, and a run takes up to ten times as long. A
// shorter spin (about 30 us) ends that, and costs nothing on a quiet machine. Whoever has set one of the runtime's own variables
// has decided otherwise.

#include <cstdlib>

__attribute__((constructor)) static void shorten_spinning() {
    if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
    ::setenv("GOMP_SPINCOUNT", "10000", 0);
}
