#include "core/calibration/run_events.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

NLOHMANN_JSON_SERIALIZE_ENUM(Warning::Kind, {{Warning::Kind::General, "general"}, {Warning::Kind::NotFinite, "not_finite"},
                                             {Warning::Kind::Plateau, "plateau"}, {Warning::Kind::ClippedRange, "clipped_range"},
                                             {Warning::Kind::Outliers, "outliers"}, {Warning::Kind::StarvedExpert, "starved_expert"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Tap, {{Tap::Weight, "weight"}, {Tap::Input, "input"}, {Tap::Output, "output"}})

namespace {

// Every event lists its fields once; Writer and Reader walk the same list.

template <class A> void fields(A& a, RunStarted& e) {
    a("model", e.model), a("architecture", e.architecture), a("num_blocks", e.num_blocks);
    a("num_quantized_modules", e.num_quantized_modules), a("num_samples", e.num_samples), a("seq_len", e.seq_len);
    a("iters", e.iters), a("device", e.device), a("dtype", e.dtype), a("threads", e.threads);
    a("first_block", e.first_block), a("batch_size", e.batch_size);
    a.maybe("reused_blocks", e.reused_blocks), a.maybe("reuse_end", e.reuse_end);
}
template <class A> void fields(A& a, BlockStarted& e) { a("block", e.block), a("name", e.name); }
template <class A> void fields(A& a, RangeObserved& e) {
    a("block", e.block), a("module", e.module), a("tap", e.tap);
    a("min", e.min), a("max", e.max), a("p001", e.p001), a("p999", e.p999);
}
template <class A> void fields(A& a, TokensCounted& e) {
    a("block", e.block), a("module", e.module), a("expert", e.expert), a("tokens", e.tokens);
}
template <class A> void fields(A& a, LossRecorded& e) {
    a("block", e.block), a("iteration", e.iteration), a("loss_mse", e.loss_mse), a("best", e.best);
    a("attempt", e.attempt);
}
template <class A> void fields(A& a, ModuleQuantized& e) {
    a("block", e.block), a("module", e.module), a("scheme", e.scheme), a.decibels("weight_sqnr_db", e.weight_sqnr_db);
}
template <class A> void fields(A& a, OutputErrorMeasured& e) {
    a("block", e.block), a("module", e.module), a.decibels("output_sqnr_db", e.output_sqnr_db);
    a.decibels("local_sqnr_db", e.local_sqnr_db), a.decibels("inherited_sqnr_db", e.inherited_sqnr_db);
}
template <class A> void fields(A& a, BlockFinished& e) {
    a("block", e.block), a("initial_loss_mse", e.initial_loss_mse), a("best_loss_mse", e.best_loss_mse);
    a("best_iteration", e.best_iteration), a("seconds", e.seconds);
    a("attempts", e.attempts), a("kept_attempt", e.kept_attempt);
}
template <class A> void fields(A& a, Progress& e) {
    a("block", e.block), a("num_blocks", e.num_blocks), a("iteration", e.iteration), a("iters", e.iters), a("stage", e.stage);
    a("fraction", e.fraction), a("elapsed_seconds", e.elapsed_seconds), a("remaining_seconds", e.remaining_seconds);
}
template <class A> void fields(A& a, Warning& e) { a("module", e.module), a("message", e.message), a("kind", e.kind); }
template <class A> void fields(A& a, BlockRedone& e) {
    a("block", e.block), a("attempt", e.attempt), a("iters", e.iters), a("lr", e.lr), a("changes", e.changes);
}
template <class A> void fields(A& a, RecipeChanged& e) { a("recipe_yaml", e.recipe_yaml); }
template <class A> void fields(A&, Paused&) {}
template <class A> void fields(A&, Resumed&) {}
template <class A> void fields(A& a, RunFinished& e) {
    RunSummary& s = e.summary;
    a("seconds", s.seconds), a("num_quantized_modules", s.num_quantized_modules), a("output_bytes", s.output_bytes);
    a("mean_initial_loss_mse", s.mean_initial_loss_mse), a("mean_best_loss_mse", s.mean_best_loss_mse);
    a("output_dir", s.output_dir), a("run_dir", s.run_dir);
}
template <class A> void fields(A& a, RunStopped& e) { a("blocks_done", e.blocks_done); }
template <class A> void fields(A& a, RunFailed& e) { a("message", e.message); }

/// In the order of the variant's alternatives.
constexpr const char* event_names[] = {"run_started", "block_started", "range", "tokens", "loss", "module", "output_error", "block_finished",
                                       "progress", "warning", "block_redone", "recipe_changed", "paused", "resumed", "run_finished", "run_stopped", "run_failed"};
static_assert(std::size(event_names) == std::variant_size_v<RunEvent>);

struct Writer {
    nlohmann::json& line;
    template <class T> void operator()(const char* key, const T& value) const { line[key] = value; }
    template <class T> void maybe(const char* key, const T& value) const { line[key] = value; }
    void decibels(const char* key, double value) const { line[key] = value; }
    void operator()(const char* key, const std::filesystem::path& value) const { line[key] = value.string(); }
    void operator()(const char* key, const std::optional<double>& value) const {
        line[key] = value ? nlohmann::json(*value) : nlohmann::json();
    }
};

struct Reader {
    const nlohmann::json& line;
    template <class T> void operator()(const char* key, T& value) const { line.at(key).get_to(value); }
    /// Journals of earlier versions have no such field.
    template <class T> void maybe(const char* key, T& value) const { value = line.value(key, value); }
    /// Infinite where nothing is lost, and that is written as null.
    void decibels(const char* key, double& value) const {
        value = line.at(key).is_null() ? std::numeric_limits<double>::infinity() : line.at(key).get<double>();
    }
    void operator()(const char* key, std::filesystem::path& value) const { value = line.at(key).get<std::string>(); }
    /// JSON has no NaN or infinity: they are written as null.
    void operator()(const char* key, double& value) const {
        value = line.at(key).is_null() ? std::numeric_limits<double>::quiet_NaN() : line.at(key).get<double>();
    }
    void operator()(const char* key, std::optional<double>& value) const {
        if (line.at(key).is_null()) value.reset();
        else value = line.at(key).get<double>();
    }
};

template <size_t I = 0>
RunEvent read_event(const std::string& name, const nlohmann::json& line) {
    if constexpr (I == std::size(event_names)) {
        throw InputError(concat("\"", name, "\" is no event of a run; the journal was written by another version."));
    } else {
        if (name != event_names[I]) return read_event<I + 1>(name, line);
        std::variant_alternative_t<I, RunEvent> event;
        const Reader reader{line};
        fields(reader, event);
        return event;
    }
}

}  // namespace

nlohmann::json to_json(const RunEvent& event) {
    nlohmann::json line{{"event", event_names[event.index()]}};
    const Writer writer{line};
    std::visit([&](auto copy) { fields(writer, copy); }, event);
    return line;
}

RunEvent run_event_from_json(const nlohmann::json& line) {
    try {
        return read_event(line.at("event").get<std::string>(), line);
    } catch (const nlohmann::json::exception&) {
        throw InputError(concat("A line of the journal is no complete event: ",
                                line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 200)));
    }
}

}  // namespace calibench
