#include "core/report/run_facts.h"

#include <algorithm>
#include <chrono>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "core/base/file_lock.h"
#include "core/base/text.h"
#include "core/recipe/recipe.h"

namespace calibench {
namespace fs = std::filesystem;
namespace {

/// run.json is written once, when a run begins.
int64_t time_of_beginning(const fs::path& run_dir) {
    std::error_code error;
    const auto written = fs::last_write_time(run_dir / "run.json", error);
    if (error) return 0;
    return std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::to_sys(written).time_since_epoch()).count();
}

/// Of a recipe that can no longer be read: none.
std::string effort_of(const RunConfig& config) {
    const ParsedRecipe parsed = parse_recipe(config.recipe_yaml);
    std::string effort;
    for (const Modifier& modifier : parsed.recipe ? parsed.recipe->modifiers : std::vector<Modifier>())
        if (const auto* tuning = std::get_if<AutoRoundSettings>(&modifier.settings); tuning && (effort.empty() || tuning->effort == Effort::Quick))
            effort = to_string(tuning->effort);
    return effort.empty() || config.effort.empty() ? effort : config.effort;
}

/// The most frequent first.
std::string schemes_in_short(const RunFacts& facts) {
    std::vector<std::pair<std::string, int>> schemes;
    for (const auto& [name, module] : facts.modules) {
        if (module.scheme.empty()) continue;
        const auto same = [&](const auto& entry) { return entry.first == module.scheme; };
        auto known = std::find_if(schemes.begin(), schemes.end(), same);
        if (known == schemes.end()) known = schemes.insert(schemes.end(), {module.scheme, 0});
        ++known->second;
    }
    if (schemes.size() == 1) return schemes.front().first;
    std::stable_sort(schemes.begin(), schemes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string text;
    for (const auto& [scheme, count] : schemes) text += concat(text.empty() ? "" : ", ", scheme, " (", count, ")");
    return text;
}

/// Adds up the events of a run, one after the other.
class FactsFromEvents {
public:
    explicit FactsFromEvents(RunFacts& facts) : facts_(facts) {}

    void finish() {
        facts_.seconds = seconds_before_ + seconds_of_part_;
        for (auto& [index, block] : facts_.blocks) {
            auto& attempts = attempts_[index];
            if (!attempts.empty()) block.loss_mse = std::move(attempts[kept_attempt(index)]);
            facts_.blocks_done += block.finished ? 1 : 0;
        }
        if (facts_.ending != StoredRun::Ending::Finished) average_losses();
    }

    /// A run that goes on does again what it was at when it stopped.
    void operator()(const RunStarted& event) {
        facts_.started = event;
        facts_.failure.clear();
        seconds_before_ += std::exchange(seconds_of_part_, 0);
        const auto again = [&](int64_t block) { return block >= event.first_block; };
        std::erase_if(facts_.blocks, [&](const auto& entry) { return again(entry.first); });
        std::erase_if(attempts_, [&](const auto& entry) { return again(entry.first); });
        for (auto& [name, module] : facts_.modules)
            if (again(module.block)) module = {.block = module.block, .expert = module.expert};
    }
    void operator()(const BlockStarted& event) { block(event.block).name = event.name; }
    void operator()(const RangeObserved& event) {
        ModuleOutcome& facts = module(event.module, event.block);
        if (event.tap == Tap::Weight) facts.weight_range = {event.min, event.max};
        if (event.tap == Tap::Input) facts.input_range = {event.min, event.max};
    }
    void operator()(const TokensCounted& event) {
        ModuleOutcome& facts = module(event.module, event.block);
        facts.tokens = event.tokens;
        facts.expert = event.expert;
    }
    void operator()(const LossRecorded& event) {
        if (event.block >= 0) attempts_[event.block][event.attempt].push_back(event.loss_mse);
    }
    void operator()(const ModuleQuantized& event) {
        ModuleOutcome& facts = module(event.module, event.block);
        facts.scheme = event.scheme;
        facts.weight_sqnr_db = event.scheme.empty() ? std::nullopt : std::optional(event.weight_sqnr_db);
    }
    void operator()(const OutputErrorMeasured& event) {
        ModuleOutcome& facts = module(event.module, event.block);
        facts.output_sqnr_db = event.output_sqnr_db;
        facts.local_sqnr_db = event.local_sqnr_db;
        facts.inherited_sqnr_db = event.inherited_sqnr_db;
    }
    void operator()(const BlockFinished& event) {
        BlockFacts& facts = block(event.block);
        facts.initial_loss_mse = event.initial_loss_mse;
        facts.best_loss_mse = event.best_loss_mse;
        facts.best_iteration = event.best_iteration;
        facts.seconds = event.seconds;
        facts.finished = true;
        kept_[event.block] = event.kept_attempt;
    }
    void operator()(const Progress& event) { seconds_of_part_ = event.elapsed_seconds; }
    void operator()(const Warning& event) {
        const auto same = [&](const Warning& known) {
            return std::tie(known.kind, known.module, known.message) == std::tie(event.kind, event.module, event.message);
        };
        if (std::none_of(facts_.warnings.begin(), facts_.warnings.end(), same)) facts_.warnings.push_back(event);
    }
    void operator()(const RunFinished& event) {
        seconds_of_part_ = event.summary.seconds;
        facts_.output_dir = event.summary.output_dir;
        facts_.output_bytes = event.summary.output_bytes;
        facts_.mean_initial_loss_mse = event.summary.mean_initial_loss_mse;
        facts_.mean_best_loss_mse = event.summary.mean_best_loss_mse;
    }
    void operator()(const RunFailed& event) { facts_.failure = event.message; }
    void operator()(const BlockRedone&) {}
    void operator()(const RecipeChanged&) {}
    void operator()(const Paused&) {}
    void operator()(const Resumed&) {}
    void operator()(const RunStopped&) {}

private:
    using Attempts = std::map<int64_t, std::vector<double>>;  ///< losses of each, by its number

    [[nodiscard]] BlockFacts& block(int64_t index) { return facts_.blocks[index]; }
    [[nodiscard]] ModuleOutcome& module(const std::string& name, int64_t block) {
        const auto [place, is_new] = places_.try_emplace(name, facts_.modules.size());
        if (is_new) facts_.modules.emplace_back(name, ModuleOutcome{.block = block});
        return facts_.modules[place->second].second;
    }
    /// Of a block that is not finished: the newest.
    [[nodiscard]] int64_t kept_attempt(int64_t index) {
        const auto kept = kept_.find(index);
        return kept != kept_.end() && attempts_[index].contains(kept->second) ? kept->second : attempts_[index].rbegin()->first;
    }
    void average_losses() {
        double initial = 0, best = 0, count = 0;
        for (const auto& [index, block] : facts_.blocks) {
            if (!block.finished || block.initial_loss_mse <= 0) continue;
            initial += block.initial_loss_mse;
            best += block.best_loss_mse;
            ++count;
        }
        if (count == 0) return;
        facts_.mean_initial_loss_mse = initial / count;
        facts_.mean_best_loss_mse = best / count;
    }

    RunFacts& facts_;
    std::unordered_map<std::string, size_t> places_;  ///< in facts_.modules
    std::map<int64_t, Attempts> attempts_;            ///< by block
    std::map<int64_t, int64_t> kept_;                 ///< attempt, by block
    double seconds_before_ = 0, seconds_of_part_ = 0;
};

}  // namespace

RunFacts facts_of_run(const fs::path& run_dir) {
    const StoredRun stored = read_run(run_dir);
    RunFacts facts{.run_dir = run_dir, .config = stored.config, .began = time_of_beginning(run_dir), .ending = stored.ending};
    FactsFromEvents reader(facts);
    for (const RunEvent& event : stored.events) std::visit(reader, event);
    reader.finish();
    facts.schemes = schemes_in_short(facts);
    facts.effort = effort_of(facts.config);
    if (facts.ending == StoredRun::Ending::Interrupted) facts.at_work = FileLock(run_dir / "events.jsonl").state() == FileLock::State::Taken;
    return facts;
}

}  // namespace calibench
