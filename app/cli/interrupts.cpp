#include "app/cli/interrupts.h"

#include <csignal>
#include <ctime>
#include <iostream>

#include <unistd.h>

#include "app/cli/command.h"

namespace calibench::cli {

Interrupts::Interrupts(RunControl& control) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    // A thread may take the locks of RunControl; a signal handler may not.
    waiting_ = std::jthread([signals, &control](const std::stop_token& stop) {
        const timespec patience{0, 100'000'000};
        while (!stop.stop_requested()) {
            if (sigtimedwait(&signals, nullptr, &patience) < 0) continue;
            if (control.cancel_requested()) _exit(exit_cancelled);
            std::cerr << "\nStopping; once more ends it at once.\n";
            control.request_cancel();
        }
    });
}

}  // namespace calibench::cli
