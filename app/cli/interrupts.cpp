#include "app/cli/interrupts.h"

#include <csignal>
#include <iostream>

#include <unistd.h>

#include "app/cli/command.h"

namespace calibench::cli {

/// Tells the waiting thread that nobody waits for signals any longer.
static constexpr int wake_up = SIGUSR1;

Interrupts::Interrupts(RunControl& control) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, wake_up}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    // A thread may take the locks of RunControl; a signal handler may not.
    waiting_ = std::jthread([signals, &control](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            if (const int signal = sigwaitinfo(&signals, nullptr); signal < 0 || signal == wake_up) continue;
            if (control.cancel_requested()) _exit(exit_cancelled);
            std::cerr << "\nStopping; once more ends it at once.\n";
            control.request_cancel();
        }
    });
}

Interrupts::~Interrupts() {
    waiting_.request_stop();
    pthread_kill(waiting_.native_handle(), wake_up);
}

}  // namespace calibench::cli
