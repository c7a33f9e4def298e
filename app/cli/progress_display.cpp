#include "app/cli/progress_display.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/text.h"

namespace calibench::cli {

std::string progress_bar(double fraction, int width) {
    const int filled = static_cast<int>(std::floor(std::clamp(fraction, 0.0, 1.0) * width));
    char percent[8];
    std::snprintf(percent, sizeof percent, "%3d %%", static_cast<int>(std::floor(fraction * 100)));
    return "[" + std::string(static_cast<size_t>(filled), '#') + std::string(static_cast<size_t>(width - filled), '-') + "] " + percent;
}

static std::string scientific(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2e", value);
    return text;
}

static std::string describe(const Progress& progress) {
    std::string text = concat(progress_bar(progress.fraction), "  block ", progress.block + 1, "/", progress.num_blocks, " ", progress.stage);
    if (progress.iters > 0) text += concat(" ", progress.iteration, "/", progress.iters);
    if (progress.remaining_seconds) text += "  " + format_duration(*progress.remaining_seconds) + " left";
    return text;
}

ProgressDisplay::ProgressDisplay() : terminal_(isatty(STDERR_FILENO) != 0) {}

ProgressDisplay::~ProgressDisplay() {
    erase();
}

void ProgressDisplay::show(const RunEvent& event) {
    if (const auto* started = std::get_if<RunStarted>(&event)) {
        num_blocks_ = started->num_blocks;
        print_line(concat(started->model, " (", started->architecture, "): ", started->num_quantized_modules, " modules in ", started->num_blocks,
                          " blocks, ", started->num_samples > 0 ? concat(started->num_samples, " samples of ", started->seq_len, " tokens") : std::string("no samples"), ", ",
                          started->iters > 0 ? concat(started->iters, " iterations") : std::string("round to nearest"), ", ", started->dtype,
                          " on ", started->device, ", ", started->threads, " threads"));
        if (started->reused_blocks > 0 || !started->reuse_end.empty())
            print_line(concat("Taken over from the earlier run: ", started->reused_blocks, " of ", started->num_blocks, " blocks",
                              started->reuse_end.empty() ? "." : concat(" (", started->reuse_end, ").")));
        if (started->first_block > 0) print_line(concat("Going on behind block ", started->first_block, "/", started->num_blocks, "."));
    } else if (const auto* progress = std::get_if<Progress>(&event)) {
        draw(describe(*progress));
    } else if (const auto* finished = std::get_if<BlockFinished>(&event)) {
        // Without samples there is no loss to tell of.
        if (finished->initial_loss_mse > 0)
            print_line(concat("block ", finished->block + 1, "/", num_blocks_, ": loss ", scientific(finished->initial_loss_mse), " -> ",
                              scientific(finished->best_loss_mse), ", ", format_duration(finished->seconds)));
    } else if (const auto* warning = std::get_if<Warning>(&event)) {
        print_line(concat("Warning: ", warning->module.empty() ? "" : warning->module + ": ", warning->message));
    } else if (std::holds_alternative<Paused>(event)) {
        print_line("Paused.");
    } else if (std::holds_alternative<Resumed>(event)) {
        print_line("Resumed.");
    }
}

void ProgressDisplay::show_fraction(const std::string& what, double fraction) {
    draw(progress_bar(fraction) + "  " + what);
}

void ProgressDisplay::print_line(const std::string& text) {
    erase();
    std::cerr << text << std::endl;
}

void ProgressDisplay::draw(const std::string& text) {
    if (!terminal_) return;
    winsize size{};
    const size_t width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
    std::cerr << "\r\033[K" << text.substr(0, width) << std::flush;
    drawn_ = true;
}

void ProgressDisplay::erase() {
    if (drawn_) std::cerr << "\r\033[K" << std::flush;
    drawn_ = false;
}

}  // namespace calibench::cli
