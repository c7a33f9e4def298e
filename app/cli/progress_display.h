#pragma once

#include <string>

#include "core/calibration/run_events.h"

namespace calibench::cli {

/// Tells a person on stderr how far a run is: one line that changes on a terminal, a line per block elsewhere.
class ProgressDisplay {
public:
    ProgressDisplay();
    ~ProgressDisplay();
    ProgressDisplay(const ProgressDisplay&) = delete;
    ProgressDisplay& operator=(const ProgressDisplay&) = delete;

    void show(const RunEvent& event);
    /// A bar for work that is no run.
    void show_fraction(const std::string& what, double fraction);

private:
    void print_line(const std::string& text);
    void draw(const std::string& text);
    void erase();

    bool terminal_;
    bool drawn_ = false;
    int64_t num_blocks_ = 0;
};

/// "[#####-----]  50 %"
[[nodiscard]] std::string progress_bar(double fraction, int width = 24);

}  // namespace calibench::cli
