#pragma once

#include <memory>
#include <optional>

#include <QTemporaryDir>
#include <QTest>

#include "core/calibration/run.h"
#include "tests/core/calibration/demo_run.h"
#include "tests/core/calibration/recorder.h"

namespace calibench::testing {

/// Four iterations; every batch holds all samples, so that losses can be compared.
inline std::string tuned(const std::string& weights, const std::string& ignored = "lm_head") {
    return recipe_of(concat("AutoRoundModifier: {iters: 4, batch_size: 4, ignore: [", ignored, "], config_groups: {group_0: {targets: [Linear], weights: {", weights, "}}}}"));
}
inline const std::string tuned_w2 = tuned("num_bits: 2, strategy: group, group_size: 64");
inline const std::string tuned_w4 = tuned("num_bits: 4, strategy: group, group_size: 64");
inline const std::string tuned_w8 = tuned("num_bits: 8, symmetric: false, strategy: channel");
inline const std::string nearest_w4 = recipe_of("QuantizationModifier: {targets: [Linear], scheme: W4A16, ignore: [lm_head]}");
inline const std::string nearest_w8 = recipe_of("QuantizationModifier: {targets: [Linear], scheme: W8A16, ignore: [lm_head]}");

inline BlockOrder redo(std::optional<int64_t> iters = {}, const std::string& recipe = "", BlockOrder::Keep keep = BlockOrder::Keep::Better) {
    BlockOrder order;
    order.iters = iters;
    order.recipe_yaml = recipe;
    order.keep = keep;
    return order;
}

inline BlockOrder finish() {
    BlockOrder order;
    order.action = BlockOrder::Action::Finish;
    return order;
}

/// A test of runs that are given orders while they work.
class OrderedRun : public QObject {
protected:
    void begin() {
        dir_ = std::make_unique<QTemporaryDir>();
        control_ = std::make_unique<RunControl>();
        recorder_ = {};
    }

    [[nodiscard]] std::filesystem::path path(const std::string& name) const { return std::filesystem::path(dir_->path().toStdString()) / name; }

    [[nodiscard]] RunConfig config(const std::filesystem::path& model, const std::string& recipe) const { return demo_run(model, recipe, path("out")); }

    [[nodiscard]] RunConfig with_output(RunConfig config, const std::string& name) const {
        config.output_dir = path(name);
        return config;
    }

    /// Gives `order` once, when block 1 has told the loss of `iteration` in its first attempt.
    void order_at(int64_t iteration, const BlockOrder& order) {
        recorder_.react = [this, iteration, order, given = false](const RunEvent& event) mutable {
            const auto* loss = std::get_if<LossRecorded>(&event);
            if (given || !loss || loss->block != 1 || loss->iteration != iteration) return;
            given = true;
            control_->order(order);
        };
    }

    /// The exported tensors; the listener is as it was set.
    std::string run(const RunConfig& config) {
        recorder_.events.clear();
        run_calibration(config, recorder_, *control_);
        return read_bytes(config.output_dir / "model.safetensors");
    }
    /// The same without any order.
    std::string run_undisturbed(RunConfig config) {
        config.output_dir = path("undisturbed");
        Recorder recorder;
        RunControl control;
        run_calibration(config, recorder, control);
        return read_bytes(config.output_dir / "model.safetensors");
    }

    [[nodiscard]] BlockFinished finished(int64_t block) const {
        for (const auto& outcome : recorder_.all<BlockFinished>())
            if (outcome.block == block) return outcome;
        return {};
    }
    [[nodiscard]] std::vector<double> losses(int64_t block, int64_t attempt) const {
        std::vector<double> losses;
        for (const auto& loss : recorder_.all<LossRecorded>())
            if (loss.block == block && loss.attempt == attempt) losses.push_back(loss.loss_mse);
        return losses;
    }
    void verify_progress_never_falls() const {
        double fraction = 0;
        for (const auto& progress : recorder_.all<Progress>()) {
            QVERIFY(progress.fraction >= fraction);
            fraction = progress.fraction;
        }
        QCOMPARE(fraction, 1.0);
    }

    std::unique_ptr<QTemporaryDir> dir_;
    std::unique_ptr<RunControl> control_;
    Recorder recorder_;
};

}  // namespace calibench::testing
