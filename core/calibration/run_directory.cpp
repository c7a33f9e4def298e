#include "core/calibration/run_directory.h"

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {
namespace fs = std::filesystem;

/// Losses and progress come many times a second; a journal that lags by this much loses nothing that matters.
static constexpr std::chrono::milliseconds flush_interval{200};

static std::string dump(const nlohmann::json& json, int indent = -1) {
    return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

static void write_file(const fs::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.flush();
    if (!file) throw RunError(concat(path.string(), " cannot be written. Is the disk full?"));
}

nlohmann::json to_json(const RunConfig& config) {
    const auto value_or_null = [](const std::optional<int64_t>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
    return {
        {"model_dir", config.model_dir.string()}, {"dataset", config.dataset.string()},
        {"output_dir", config.output_dir.string()}, {"run_dir", config.run_dir.string()},
        {"num_samples", config.num_samples}, {"seq_len", config.seq_len},
        {"batch_size", value_or_null(config.batch_size)}, {"iters", value_or_null(config.iters)},
        {"seed", config.seed}, {"device", config.device}, {"dtype", config.dtype}, {"threads", config.threads},
    };
}

RunDirectory::RunDirectory(const fs::path& directory, const RunConfig& config) : directory_(directory) {
    std::error_code error;
    if (fs::exists(directory / "run.json", error))
        throw InputError(concat("The run directory ", directory.string(), " holds a run already. Choose another one."));
    fs::create_directories(directory, error);
    if (!error) journal_.open(directory / "events.jsonl", std::ios::binary);
    if (error || !journal_)
        throw InputError(concat("The run directory ", directory.string(), " cannot be written",
                                error ? ": " + error.message() : "", ". Choose another one."));
    write_file(directory / "recipe.yaml", config.recipe_yaml);
    write_file(directory / "run.json", dump({{"calibench", CALIBENCH_VERSION}, {"config", to_json(config)}}, 2));
}

void RunDirectory::append(const RunEvent& event) {
    if (const auto* counted = std::get_if<TokensCounted>(&event)) tokens_[counted->module] = counted->tokens;
    journal_ << dump(to_json(event));
    const bool frequent = std::holds_alternative<LossRecorded>(event) || std::holds_alternative<Progress>(event) ||
                          std::holds_alternative<RangeObserved>(event) || std::holds_alternative<TokensCounted>(event);
    const auto now = std::chrono::steady_clock::now();
    if (!frequent || now - last_flush_ > flush_interval) {
        journal_.flush();
        last_flush_ = now;
    }
    if (!journal_) throw RunError(concat((directory_ / "events.jsonl").string(), " cannot be written. Is the disk full?"));
    if (std::holds_alternative<RunFinished>(event) || std::holds_alternative<RunStopped>(event) || std::holds_alternative<RunFailed>(event))
        write_result(event);
}

void RunDirectory::write_result(const RunEvent& last_event) {
    nlohmann::json result = to_json(last_event);
    result["tokens"] = tokens_;
    write_file(directory_ / "result.json", dump(result, 2));
}

}  // namespace calibench
