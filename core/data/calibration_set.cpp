#include "core/data/calibration_set.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>
#include <span>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/json_node.h"
#include "core/data/text_file.h"
#include "core/models/safetensors.h"

namespace calibench {

namespace {

/// The documents of a file as one run of tokens.
class TokenStream {
public:
    TokenStream(std::string file_name, const Tokenizer& tokenizer, int64_t enough)
        : file_name_(std::move(file_name)), tokenizer_(tokenizer), enough_(enough) {}

    [[nodiscard]] bool full() const { return size() >= enough_; }
    [[nodiscard]] int64_t size() const { return static_cast<int64_t>(ids_.size()); }
    [[nodiscard]] const std::vector<int64_t>& ids() const { return ids_; }
    [[nodiscard]] const std::string& file_name() const { return file_name_; }

    void append_text(std::string_view text) {
        const auto ids = tokenizer_.encode(text);
        ids_.insert(ids_.end(), ids.begin(), ids.end());
    }

    /// `place` says where the ids stand in the file, for the complaint.
    void append_ids(std::span<const int64_t> ids, const std::string& place) {
        for (const int64_t id : ids)
            if (id < 0 || id >= tokenizer_.vocab_size())
                refuse(place, concat("holds the id ", id, ", which is not in the model's vocabulary of ",
                                     tokenizer_.vocab_size(), " tokens."));
        ids_.insert(ids_.end(), ids.begin(), ids.end());
    }

    /// A JSON object with `text` or `input_ids`.
    void append_document(const nlohmann::json& document, const std::string& place) {
        if (!document.is_object())
            refuse(place, "is not a JSON object.");
        if (const auto ids = document.find("input_ids"); ids != document.end())
            append_ids(id_list(*ids, place), place);
        else if (const auto text = document.find("text"); text == document.end())
            refuse(place, concat("has neither \"text\" nor \"input_ids\"", fields_of(document), "."));
        else if (!text->is_string())
            refuse(place, "has a \"text\" that is not a string.");
        else
            append_text(text->get_ref<const std::string&>());
    }

    [[noreturn]] void refuse(const std::string& place, std::string_view complaint) const {
        throw InputError(concat(file_name_, ": ", place, " ", complaint));
    }

private:
    [[nodiscard]] std::vector<int64_t> id_list(const nlohmann::json& list, const std::string& place) const {
        const auto is_id = [](const nlohmann::json& id) { return id.is_number_integer(); };
        if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_id))
            refuse(place, "has \"input_ids\" that are not a list of whole numbers.");
        return list.get<std::vector<int64_t>>();
    }

    [[nodiscard]] static std::string fields_of(const nlohmann::json& document) {
        std::vector<std::string> names;
        for (const auto& [name, value] : document.items())
            names.push_back(name);
        return names.empty() ? "" : concat(", only ", list_names(names));
    }

    std::string file_name_;
    const Tokenizer& tokenizer_;
    int64_t enough_;
    std::vector<int64_t> ids_;
};

void read_json_lines(TokenStream& stream) {
    std::ifstream in(stream.file_name(), std::ios::binary);
    std::string line;
    for (int64_t number = 1; !stream.full() && std::getline(in, line); ++number) {
        const std::string place = concat("line ", number);
        if (std::all_of(line.begin(), line.end(), [](unsigned char c) { return std::isspace(c) != 0; }))
            continue;
        const auto document = nlohmann::json::parse(line, nullptr, false);
        if (document.is_discarded())
            stream.refuse(place, "is not valid JSON: a dataset has one object a line, or is one list of objects.");
        stream.append_document(document, place);
    }
}

void read_json_list(TokenStream& stream) {
    const nlohmann::json list = read_json_file(stream.file_name());
    for (size_t i = 0; i < list.size() && !stream.full(); ++i)
        stream.append_document(list[i], concat("item ", i + 1));
}

void read_id_tensor(TokenStream& stream) {
    const SafetensorsFile file(stream.file_name());
    if (!file.contains("input_ids"))
        stream.refuse("it", "has no tensor \"input_ids\".");
    const at::Tensor ids = file.tensor("input_ids");
    if (ids.dim() != 2 || !at::isIntegralType(ids.scalar_type(), /*includeBool=*/false))
        stream.refuse("input_ids", "must be whole numbers of shape [samples, length].");
    const at::Tensor rows = ids.to(at::kLong).contiguous();
    const auto length = static_cast<size_t>(rows.size(1));
    for (int64_t row = 0; row < rows.size(0) && !stream.full(); ++row)
        stream.append_ids({rows.const_data_ptr<int64_t>() + row * rows.size(1), length}, concat("row ", row));
}

/// A list of objects starts with a bracket, lines of objects with a brace.
bool is_json_list(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    char first = 0;
    in >> first;
    return first == '[';
}

void read_tokens(const std::filesystem::path& file, TokenStream& stream) {
    if (!std::filesystem::is_regular_file(file) || !std::ifstream(file))
        throw InputError(concat(file.string(), " cannot be read: check that the dataset exists, is a file and may be read."));
    const std::string extension = file.extension().string();
    if (extension == ".safetensors")
        read_id_tensor(stream);
    else if (extension == ".jsonl" || extension == ".json")
        is_json_list(file) ? read_json_list(stream) : read_json_lines(stream);
    else
        stream.append_text(read_text(file));  // whole: no tokenizer promises that two halves give the same tokens
}

/// 0 .. count-1 in an order that depends on the seed alone: the standard library's shuffle and distributions differ
/// from one implementation to the next, its generators do not.
std::vector<int64_t> shuffled(int64_t count, uint64_t seed) {
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::mt19937_64 random(seed);
    for (uint64_t left = order.size(); left > 1; --left) {
        // Draws from the last, incomplete run of multiples are thrown away, or small numbers would come up more often.
        const uint64_t limit = random.max() - random.max() % left;
        uint64_t draw = random();
        while (draw >= limit)
            draw = random();
        std::swap(order[left - 1], order[draw % left]);
    }
    return order;
}

/// "302,114"
std::string with_thousands(int64_t number) {
    std::string digits = std::to_string(number);
    for (auto at = static_cast<ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<size_t>(at), 1, ',');
    return digits;
}

void check(const DatasetOptions& options) {
    if (options.num_samples < 1 || options.seq_len < 1)
        throw InputError(concat("A calibration set needs at least one sample of at least one token, not ", options.num_samples,
                                " x ", options.seq_len, "."));
    if (options.num_samples > std::numeric_limits<int64_t>::max() / options.seq_len)
        throw InputError(concat("A calibration set of ", options.num_samples, " x ", options.seq_len, " tokens is too large."));
}

}  // namespace

CalibrationSet load_calibration_set(const std::filesystem::path& file, const Tokenizer& tokenizer, const DatasetOptions& options) {
    check(options);
    // Only an order of its own needs to know all samples first.
    const int64_t enough = options.shuffle ? std::numeric_limits<int64_t>::max() : options.num_samples * options.seq_len;
    TokenStream stream(file.string(), tokenizer, enough);
    read_tokens(file, stream);

    const int64_t available = stream.size() / options.seq_len;
    if (available == 0)
        throw InputError(stream.size() == 0 ? concat(file.string(), " holds no tokens.")
                                            : concat(file.string(), " holds ", with_thousands(stream.size()),
                                                     " tokens, fewer than one sample of ", options.seq_len, ": choose a seq_len of ",
                                                     stream.size(), " or less, or a longer dataset."));
    CalibrationSet set;
    set.num_samples = std::min(options.num_samples, available);
    set.seq_len = options.seq_len;
    set.input_ids.reserve(static_cast<size_t>(set.num_samples * set.seq_len));
    const auto append_sample = [&](int64_t sample) {
        const auto begin = stream.ids().begin() + sample * options.seq_len;
        set.input_ids.insert(set.input_ids.end(), begin, begin + options.seq_len);
    };
    if (options.shuffle) {
        const auto order = shuffled(available, options.seed);
        std::for_each_n(order.begin(), set.num_samples, append_sample);
    } else {
        for (int64_t sample = 0; sample < set.num_samples; ++sample)
            append_sample(sample);
    }
    set.description = concat(file.filename().string(), ": ", set.num_samples, " x ", set.seq_len, " of ",
                             with_thousands(stream.size()), " tokens", options.shuffle ? concat(", shuffled by seed ", options.seed) : "");
    return set;
}

}  // namespace calibench
