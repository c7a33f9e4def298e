#include "core/report/run_notes.h"

#include <fstream>
#include <iterator>
#include <limits>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/run_inputs.h"
#include "core/checkpoint/output_file.h"

namespace calibench {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

json to_json(const PerplexityNote& note) {
    return {{"text", note.text.string()}, {"text_bytes", note.text_bytes}, {"seq_len", note.seq_len}, {"max_tokens", note.max_tokens},
            {"quantized", note.quantized}, {"original", note.original}};
}

/// JSON has no infinity: it is written as null.
double number_from(const json& stored) { return stored.is_null() ? std::numeric_limits<double>::infinity() : stored.get<double>(); }

PerplexityNote perplexity_from(const json& stored) {
    return {.text = stored.at("text").get<std::string>(), .text_bytes = stored.at("text_bytes").get<int64_t>(), .seq_len = stored.at("seq_len").get<int64_t>(),
            .max_tokens = stored.at("max_tokens").get<int64_t>(), .quantized = number_from(stored.at("quantized")), .original = number_from(stored.at("original"))};
}

bool same_question(const PerplexityNote& a, const PerplexityNote& b) {
    return a.text == b.text && a.text_bytes == b.text_bytes && a.seq_len == b.seq_len && a.max_tokens == b.max_tokens;
}

}  // namespace

RunNotes read_notes(const fs::path& run_dir) {
    const fs::path file = run_dir / "notes.json";
    std::error_code error;
    if (!fs::exists(file, error)) return {};
    std::ifstream stream(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    RunNotes notes;
    try {
        const json stored = json::parse(text);
        notes.title = stored.at("title").get<std::string>();
        notes.annotation = stored.at("annotation").get<std::string>();
        if (const auto perplexity = stored.find("perplexity"); perplexity != stored.end()) notes.perplexity = perplexity_from(*perplexity);
    } catch (const json::exception&) {
        throw InputError(concat(file.string(), " is damaged: it holds no notes of a run. Delete it, or write the notes anew."));
    }
    return notes;
}

void write_notes(const fs::path& run_dir, const RunNotes& notes) {
    json stored{{"title", notes.title}, {"annotation", notes.annotation}};
    if (notes.perplexity) stored["perplexity"] = to_json(*notes.perplexity);
    const std::string text = stored.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    const fs::path file = run_dir / "notes.json", partial = run_dir / "notes.json.partial";
    OutputFile output(partial);
    output.write(text.data(), text.size());
    output.close();
    std::error_code error;
    fs::rename(partial, file, error);
    if (error) throw RunError(concat(file.string(), " cannot be written: ", error.message(), "."));
}

PerplexityNote measure_perplexity(const RunFacts& run, PerplexityOptions options, const std::optional<PerplexityNote>& known, RunControl& control,
                                  const std::function<void(double)>& on_progress) {
    std::error_code error;
    if (run.output_dir.empty()) throw InputError(concat("The run in ", run.run_dir.string(), " wrote no checkpoint whose perplexity could be measured."));
    if (!fs::exists(run.output_dir / "config.json", error))
        throw InputError(concat("The checkpoint of the run in ", run.run_dir.string(), " is no longer at ", run.output_dir.string(), ". Put it back, or run again."));
    PerplexityNote note{.text = whole_path(options.text), .text_bytes = static_cast<int64_t>(fs::file_size(options.text, error)), .seq_len = options.seq_len, .max_tokens = options.max_tokens};
    if (error) throw InputError(concat(options.text.string(), " cannot be read: ", error.message(), "."));
    const bool original_known = known && same_question(*known, note);
    const double share = original_known ? 1 : 0.5;
    const auto part = [&](double begin) {
        return [&on_progress, begin, share](double fraction) {
            if (on_progress) on_progress(begin + share * fraction);
        };
    };
    options.model_dir = run.output_dir;
    note.quantized = evaluate_perplexity(options, control, part(0)).perplexity;
    options.model_dir = run.config.model_dir;
    note.original = original_known ? known->original : evaluate_perplexity(options, control, part(share)).perplexity;
    return note;
}

}  // namespace calibench
