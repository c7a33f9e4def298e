#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "core/base/run_control.h"
#include "core/calibration/run_config.h"
#include "core/calibration/run_events.h"
#include "tests/ui/fixtures.h"

namespace calibench::test {

/// A run of the dense model that tunes blocks by falling curves and obeys as the engine does: it pauses, holds, begins a block
/// anew, finishes it early, and goes on behind `blocksDone`. Attempt a's loss at iteration i is 1e-4 / (1 + a) / (1 + i).
struct FakeRun {
    int blocks = 2;
    int64_t iters = 5;
    int64_t pauseAt = -1;              ///< iteration of the first attempt at the first block in which the run pauses itself
    std::optional<int> failInBlock;    ///< "the disk is full", once
    bool endless = false;              ///< iterations of the last block never end by themselves
    int64_t blocksDone = 0;            ///< what a run that goes on finds

    RunSummary operator()(const RunConfig& config, RunListener& listener, RunControl& control) {
        control.set_pause_listener([&listener](bool paused) { listener.on_event(paused ? RunEvent(Paused{}) : RunEvent(Resumed{})); });
        RunStarted started = startOf(denseModel(blocks), iters);
        started.first_block = config.resume ? blocksDone : 0;
        listener.on_event(started);
        for (int64_t block = started.first_block; block < blocks; ++block) {
            tune(block, listener, control);
            blocksDone = block + 1;
        }
        control.set_pause_listener(nullptr);
        return {.seconds = 2, .num_quantized_modules = 3 * blocks, .output_dir = config.output_dir, .run_dir = config.run_dir};
    }

private:
    static double loss(int64_t attempt, int64_t iteration) {
        return 1e-4 / static_cast<double>(1 + attempt) / static_cast<double>(1 + iteration);
    }

    void tune(int64_t block, RunListener& listener, RunControl& control) {
        const std::string name = "model.layers." + std::to_string(block);
        listener.on_event(BlockStarted{.block = block, .name = name});
        if (failInBlock == block) {
            failInBlock.reset();
            throw RunError("the disk is full");
        }
        BlockFinished finished{.block = block, .initial_loss_mse = loss(0, 0), .seconds = 1};
        int64_t planned = iters, attempt = 0, done = 0;
        for (int64_t i = 0;;) {
            if (block == 0 && attempt == 0 && i == pauseAt) control.hold();
            const bool atEnd = i == planned && !(endless && block == blocks - 1);
            if (atEnd && control.holds_at_block_end()) control.hold();
            control.checkpoint();
            if (const auto order = control.take_order()) {
                if (order->action == BlockOrder::Action::Finish) break;
                planned = order->iters.value_or(planned);
                ++attempt;
                i = 0;
                listener.on_event(BlockRedone{.block = block, .attempt = attempt, .iters = planned, .lr = order->lr.value_or(1.0 / static_cast<double>(planned)),
                                              .changes = "iters " + std::to_string(iters) + " -> " + std::to_string(planned)});
                if (!order->recipe_yaml.empty()) listener.on_event(RecipeChanged{order->recipe_yaml});
                continue;
            }
            if (atEnd) break;
            listener.on_event(LossRecorded{.block = block, .iteration = i, .loss_mse = loss(attempt, i), .best = true, .attempt = attempt});
            listener.on_event(Progress{.block = block, .num_blocks = blocks, .iteration = ++i, .iters = planned, .stage = "tuning",
                                       .fraction = static_cast<double>(block) / blocks, .elapsed_seconds = 1, .remaining_seconds = 3});
            done = i;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        finished.attempts = attempt + 1;
        finished.kept_attempt = attempt;  // here, the newest is always the better one
        finished.best_iteration = std::max<int64_t>(0, done - 1);
        finished.best_loss_mse = loss(attempt, finished.best_iteration);
        listener.on_event(finished);
    }
};

}  // namespace calibench::test
