#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/calibration/run_events.h"
#include "core/models/model_summary.h"
#include "ui/plots/series_store.h"
#include "ui/run_feed.h"

namespace calibench {

/// What is known of one quantizable module.
struct ModuleRecord {
    std::string name;
    std::string projection;  ///< "q_proj": the last part of the name
    int block = -1;
    int expert = -1;
    std::optional<RangeObserved> weight, input, output;
    std::optional<int64_t> tokens;
    std::optional<double> sqnrDb;
    std::string scheme;  ///< by which it was quantized; empty until it was
    std::optional<OutputErrorMeasured> outputError;
};

/// One tuning of a block, from its first iteration on.
struct AttemptRecord {
    SeriesStore losses;  ///< iteration -> mean squared error
    std::optional<SeriesPoint> best;
    std::string changes;  ///< against the attempt before, for people; empty for the first
    int64_t iters = 0;    ///< as ordered; 0 for the first, which follows the recipe
    double lr = 0;
};

struct BlockRecord {
    enum class State { Waiting, Calibrating, Tuning, Done };
    State state = State::Waiting;
    std::string name;  ///< "model.layers.3"
    std::vector<AttemptRecord> attempts;
    std::optional<BlockFinished> result;

    /// Which attempt counts: the kept one of a finished block, else the newest; -1 before the first.
    [[nodiscard]] int counted() const;
    [[nodiscard]] const SeriesStore& losses() const;       ///< of the attempt that counts
    [[nodiscard]] std::optional<SeriesPoint> best() const;
};

/// A run as the window knows it: all snapshots added up. Lives on the window's thread; trees and plots read it.
class RunRecord {
public:
    /// Forgets the last run. The model gives the order in which modules are shown before anything is known of them.
    void begin(const ModelSummary& model);
    /// A run that goes on (RunStarted::first_block > 0) keeps what is known of the blocks before.
    void apply(const RunSnapshot& snapshot);

    [[nodiscard]] const std::vector<ModuleRecord>& modules() const { return m_modules; }
    [[nodiscard]] const ModuleRecord* find(const std::string& module) const;
    /// Of a module, or of a block by its name; -1 for others.
    [[nodiscard]] int blockOf(const std::string& name) const;
    [[nodiscard]] const std::vector<BlockRecord>& blocks() const { return m_blocks; }
    [[nodiscard]] const std::optional<RunStarted>& started() const { return m_started; }
    [[nodiscard]] const std::optional<Progress>& progress() const { return m_progress; }
    [[nodiscard]] int numExperts() const { return m_numExperts; }      ///< 0 for a dense model

private:
    ModuleRecord& module(const std::string& name, int block, int expert);
    BlockRecord* block(int64_t index);
    void begin(const RunStarted& started);
    static AttemptRecord& attempt(BlockRecord& block, int64_t index);

    std::vector<ModuleRecord> m_modules;
    std::unordered_map<std::string, size_t> m_index;
    std::vector<BlockRecord> m_blocks;
    std::optional<RunStarted> m_started;
    std::optional<Progress> m_progress;
    int m_numExperts = 0;
};

}  // namespace calibench
