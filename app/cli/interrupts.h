#pragma once

#include <thread>

#include "core/base/run_control.h"

namespace calibench::cli {

/// While it lives, Ctrl+C (or SIGTERM) asks the work to stop in good order; a second one ends the process at once. Make it before
/// other threads start: they inherit that these signals are this object's business.
class Interrupts {
public:
    explicit Interrupts(RunControl& control);
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

private:
    std::jthread waiting_;
};

}  // namespace calibench::cli
