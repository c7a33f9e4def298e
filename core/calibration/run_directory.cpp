#include "core/calibration/run_directory.h"

#include <fstream>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/block_store.h"
#include "core/calibration/run_inputs.h"
#include "core/calibration/run_journal.h"
#include "core/calibration/sketch_store.h"
#include "core/checkpoint/output_file.h"
#include "core/models/module_plan.h"

namespace calibench {
namespace fs = std::filesystem;
namespace {

/// Losses and progress come many times a second; a journal that lags by this much loses nothing that matters.
constexpr std::chrono::milliseconds flush_interval{200};

constexpr const char* journal_name = "events.jsonl";
constexpr const char* about_name = "run.json";
constexpr const char* recipe_name = "recipe.yaml";
constexpr const char* result_name = "result.json";

std::string dump(const nlohmann::json& json, int indent = -1) {
    return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// The file is there as a whole or as it was, whenever the process dies.
void write_file(const fs::path& path, const std::string& text) {
    const fs::path partial = path.string() + ".partial";
    OutputFile file(partial);
    file.write(text.data(), text.size());
    file.close();
    std::error_code error;
    fs::rename(partial, path, error);
    if (error) throw RunError(concat(path.string(), " cannot be written: ", error.message(), "."));
}

/// How a run is stored: it may be taken up again from another folder.
nlohmann::json describe(RunConfig config) {
    for (fs::path* path : {&config.model_dir, &config.dataset, &config.output_dir, &config.run_dir, &config.reuse}) *path = whole_path(*path);
    return {{"calibench", CALIBENCH_VERSION}, {"config", to_json(config)}, {"recipe", config.recipe_yaml}, {"inputs", stamp_inputs(config)}};
}

nlohmann::json read_about(const fs::path& run_dir) {
    const fs::path file = run_dir / about_name;
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw InputError(concat(run_dir.string(), " holds no run of Calibench: there is no ", about_name, " in it."));
    nlohmann::json about = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
    if (!about.is_object()) throw InputError(concat(file.string(), ", line 1: this is no JSON object. The file is damaged."));
    return about;
}

RunConfig config_of(const nlohmann::json& about, const fs::path& run_dir) {
    RunConfig config;
    try {
        const nlohmann::json& stored = about.at("config");
        const auto optional = [&](const char* key) {
            const nlohmann::json& value = stored.at(key);
            return value.is_null() ? std::nullopt : std::optional<int64_t>(value.get<int64_t>());
        };
        config.model_dir = stored.at("model_dir").get<std::string>();
        config.dataset = stored.at("dataset").get<std::string>();
        config.output_dir = stored.at("output_dir").get<std::string>();
        config.num_samples = stored.at("num_samples").get<int64_t>();
        config.seq_len = stored.at("seq_len").get<int64_t>();
        config.batch_size = optional("batch_size");
        config.iters = optional("iters");
        config.effort = stored.value("effort", std::string());  // older runs have none
        config.seed = stored.at("seed").get<uint64_t>();
        config.device = stored.at("device").get<std::string>();
        config.dtype = stored.at("dtype").get<std::string>();
        config.threads = stored.at("threads").get<int>();
        config.max_memory = stored.value("max_memory", int64_t{0});  // older runs have none
        config.reuse = stored.value("reuse", std::string());
        config.recipe_yaml = about.at("recipe").get<std::string>();
    } catch (const nlohmann::json::exception&) {
        throw InputError(concat((run_dir / about_name).string(), " does not tell all that a run depends on. It is damaged, or of another version."));
    }
    config.run_dir = run_dir;
    return config;
}

/// Those that are finished and whose tensors are there, from the first on.
int64_t count_blocks_done(const std::vector<RunEvent>& events, const fs::path& run_dir) {
    std::set<int64_t> finished;
    for (const auto& event : events)
        if (const auto* block = std::get_if<BlockFinished>(&event)) finished.insert(block->block);
    const BlockStore store(run_dir);
    int64_t done = 0;
    while (finished.contains(done) && store.contains(block_name(done))) ++done;
    return done;
}

StoredRun::Ending ending_of(const std::vector<RunEvent>& events) {
    using Ending = StoredRun::Ending;
    if (events.empty()) return Ending::Interrupted;
    const RunEvent& last = events.back();
    if (std::holds_alternative<RunFinished>(last)) return Ending::Finished;
    if (std::holds_alternative<RunStopped>(last)) return Ending::Stopped;
    return std::holds_alternative<RunFailed>(last) ? Ending::Failed : Ending::Interrupted;
}

StoredRun tell(const nlohmann::json& about, std::vector<RunEvent> events, const fs::path& run_dir) {
    StoredRun run;
    run.config = config_of(about, run_dir);
    for (const auto& event : events)
        if (const auto* changed = std::get_if<RecipeChanged>(&event)) run.config.recipe_yaml = changed->recipe_yaml;
    run.ending = ending_of(events);
    run.blocks_done = count_blocks_done(events, run_dir);
    run.events = std::move(events);
    return run;
}

}  // namespace

nlohmann::json to_json(const RunConfig& config) {
    const auto value_or_null = [](const std::optional<int64_t>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
    return {
        {"model_dir", config.model_dir.string()}, {"dataset", config.dataset.string()},
        {"output_dir", config.output_dir.string()}, {"run_dir", config.run_dir.string()},
        {"num_samples", config.num_samples}, {"seq_len", config.seq_len},
        {"batch_size", value_or_null(config.batch_size)}, {"iters", value_or_null(config.iters)},
        {"effort", config.effort}, {"seed", config.seed}, {"device", config.device}, {"dtype", config.dtype}, {"threads", config.threads},
        {"max_memory", config.max_memory}, {"reuse", config.reuse.string()},
    };
}

StoredRun read_run(const fs::path& run_dir) {
    const nlohmann::json about = read_about(run_dir);
    return tell(about, read_journal(run_dir / journal_name).events, run_dir);
}

void require_inputs_of(const fs::path& run_dir) {
    const nlohmann::json about = read_about(run_dir);
    if (const auto stamps = about.find("inputs"); stamps != about.end()) require_unchanged_inputs(*stamps);
}

RunDirectory::RunDirectory(const fs::path& directory, const RunConfig& config) : directory_(directory) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error)
        throw InputError(concat("The run directory ", directory.string(), " cannot be written: ", error.message(), ". Choose another one."));
    open_journal();
    if (lock_.state() == FileLock::State::Taken || fs::exists(directory / about_name, error))
        throw InputError(concat("The run directory ", directory.string(), " holds a run already. Choose another one."));
    journal_.truncate(0);
    BlockStore(directory).remove_all();
    SketchStore(directory).remove_all();
    write_file(directory / recipe_name, config.recipe_yaml);
    write_file(directory / about_name, dump(describe(config), 2));
}

void RunDirectory::open_journal() {
    journal_ = JournalWriter(directory_ / journal_name);
    lock_ = FileLock(directory_ / journal_name);
}

ReopenedRun RunDirectory::reopen(const fs::path& directory) {
    const nlohmann::json about = read_about(directory);
    ReopenedRun reopened;
    reopened.directory.reset(new RunDirectory);
    RunDirectory& self = *reopened.directory;
    self.directory_ = directory;
    self.open_journal();
    if (self.lock_.state() == FileLock::State::Taken)
        throw InputError(concat("The run in ", directory.string(), " is still at work in another process. Stop that one first, or wait for it."));

    RunJournal journal = read_journal(directory / journal_name);
    reopened.run = tell(about, std::move(journal.events), directory);
    if (!reopened.run.can_resume()) throw InputError(concat("The run in ", directory.string(), " is finished: there is nothing left to go on with."));
    if (const auto stamps = about.find("inputs"); stamps != about.end()) require_unchanged_inputs(*stamps);

    self.journal_.truncate(journal.num_bytes);
    BlockStore(directory).remove_unfinished();
    SketchStore(directory).remove_unfinished();
    reopened.recipes.push_back(config_of(about, directory).recipe_yaml);
    for (const auto& event : reopened.run.events) {
        if (const auto* counted = std::get_if<TokensCounted>(&event)) self.tokens_[counted->module] = counted->tokens;
        if (const auto* changed = std::get_if<RecipeChanged>(&event)) reopened.recipes.push_back(changed->recipe_yaml);
    }
    return reopened;
}

void RunDirectory::append(const RunEvent& event) {
    std::error_code ignored;
    if (std::holds_alternative<RunStarted>(event)) fs::remove(directory_ / result_name, ignored);
    if (const auto* counted = std::get_if<TokensCounted>(&event)) tokens_[counted->module] = counted->tokens;
    journal_.add(dump(to_json(event)));
    const bool frequent = std::holds_alternative<LossRecorded>(event) || std::holds_alternative<Progress>(event) ||
                          std::holds_alternative<RangeObserved>(event) || std::holds_alternative<TokensCounted>(event);
    const auto now = std::chrono::steady_clock::now();
    if (!frequent || now - last_flush_ > flush_interval) {
        journal_.flush();
        last_flush_ = now;
    }
    if (const auto* changed = std::get_if<RecipeChanged>(&event)) write_file(directory_ / recipe_name, changed->recipe_yaml);
    if (std::holds_alternative<RunFinished>(event) || std::holds_alternative<RunStopped>(event) || std::holds_alternative<RunFailed>(event))
        write_result(event);
}

void RunDirectory::write_result(const RunEvent& last_event) {
    nlohmann::json result = to_json(last_event);
    result["tokens"] = tokens_;
    write_file(directory_ / result_name, dump(result, 2));
}

}  // namespace calibench
