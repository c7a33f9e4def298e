#include "core/models/model_config.h"

#include <cmath>
#include <fstream>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/models/family.h"
#include "core/models/layers.h"

namespace calibench {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// Far above any real model, and low enough that a hostile config.json cannot make us enumerate modules for ever.
constexpr int64_t kMostBlocks = 4096;
constexpr int64_t kMostExperts = 4096;
constexpr int64_t kMostElements = int64_t{1} << 31;

/// A JSON object whose complaints name the file and the key. A key that is null counts as absent, as in transformers.
class ConfigReader {
public:
    ConfigReader(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

    [[nodiscard]] const json* find(const char* key) const {
        const auto found = object_.find(key);
        return found == object_.end() || found->is_null() ? nullptr : &*found;
    }

    [[nodiscard]] std::optional<int64_t> integer(const char* key, int64_t least = 1, int64_t most = kMostElements) const {
        const json* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (!value->is_number_integer() || (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(most)) ||
            value->get<int64_t>() < least || value->get<int64_t>() > most)
            fail(key, concat("must be a whole number from ", least, " to ", most, ", not ", shown(*value)));
        return value->get<int64_t>();
    }
    [[nodiscard]] int64_t required_integer(const char* key, int64_t most = kMostElements) const {
        const auto value = integer(key, 1, most);
        if (!value) fail(key, "is missing");
        return *value;
    }
    [[nodiscard]] std::optional<double> positive_number(const char* key) const {
        const json* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (!value->is_number() || !std::isfinite(value->get<double>()) || value->get<double>() <= 0)
            fail(key, concat("must be a positive number, not ", shown(*value)));
        return value->get<double>();
    }
    [[nodiscard]] double required_positive_number(const char* key) const {
        const auto value = positive_number(key);
        if (!value) fail(key, "is missing");
        return *value;
    }
    [[nodiscard]] bool boolean(const char* key, bool otherwise) const {
        const json* value = find(key);
        if (value == nullptr) return otherwise;
        if (!value->is_boolean()) fail(key, concat("must be true or false, not ", shown(*value)));
        return value->get<bool>();
    }
    [[nodiscard]] std::optional<std::string> text(const char* key) const {
        const json* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (!value->is_string()) fail(key, concat("must be text, not ", shown(*value)));
        return value->get<std::string>();
    }
    [[nodiscard]] std::optional<ConfigReader> object(const char* key) const {
        const json* value = find(key);
        if (value == nullptr) return std::nullopt;
        if (!value->is_object()) fail(key, "must be a JSON object");
        return ConfigReader(*value, concat(where_, ": ", key));
    }
    /// A value as it stands in the file, short enough for a sentence.
    [[nodiscard]] static std::string shown(const json& value) {
        const std::string text = value.dump();
        return text.size() <= 60 ? text : text.substr(0, 60) + "...";
    }
    [[noreturn]] void fail(const char* key, const std::string& problem) const {
        throw InputError(concat(where_, ": ", key, " ", problem, "."));
    }

private:
    const json& object_;
    std::string where_;  ///< the file, and the path of keys down to this object
};

json parse_config(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw InputError(concat(file.string(), " is missing or cannot be read; choose the directory of a Hugging Face model."));
    json config;
    try {
        config = json::parse(in);
    } catch (const json::parse_error& error) {
        throw InputError(concat(file.string(), ": not valid JSON at byte ", error.byte, "."));
    } catch (const json::exception&) {
        throw InputError(concat(file.string(), ": not valid JSON."));
    }
    if (!config.is_object()) throw InputError(concat(file.string(), ": not a JSON object."));
    return config;
}

const Family& read_family(const ConfigReader& reader) {
    std::string architecture;
    if (const json* list = reader.find("architectures")) {
        if (!list->is_array() || list->empty() || !list->front().is_string()) reader.fail("architectures", "must be a list of names");
        architecture = list->front().get<std::string>();
    } else if (const auto model_type = reader.text("model_type")) {
        for (const Family& family : families())
            if (family.model_type == *model_type) return family;
        reader.fail("model_type", concat("\"", *model_type, "\" is not supported; architectures known are ",
                                         list_names(supported_architectures(), families().size())));
    } else {
        reader.fail("architectures", "is missing");
    }
    const Family* family = find_family(architecture);
    if (family == nullptr)
        reader.fail("architectures", concat("names ", architecture, ", which is not supported; known are ",
                                            list_names(supported_architectures(), families().size())));
    return *family;
}

/// rope_parameters (transformers 5), or rope_theta and rope_scaling (before).
RopeParameters read_rope(const ConfigReader& reader, int64_t max_position_embeddings) {
    RopeParameters rope;
    rope.rope_theta = reader.positive_number("rope_theta").value_or(rope.rope_theta);
    const auto parameters = reader.object(reader.find("rope_parameters") != nullptr ? "rope_parameters" : "rope_scaling");
    const double rotated = reader.positive_number("partial_rotary_factor").value_or(1.0);
    if (rotated != 1.0) reader.fail("partial_rotary_factor", "other than 1 is not supported");
    if (!parameters) return rope;

    rope.rope_theta = parameters->positive_number("rope_theta").value_or(rope.rope_theta);
    const auto type = parameters->text("rope_type");
    rope.rope_type = type ? *type : parameters->text("type").value_or(rope.rope_type);
    if (rope.rope_type == "default") return rope;
    if (rope.rope_type != "linear" && rope.rope_type != "llama3")
        parameters->fail(type ? "rope_type" : "type",
                         concat("\"", rope.rope_type, "\" is not supported; known are default, linear and llama3"));

    rope.factor = parameters->required_positive_number("factor");
    if (rope.rope_type == "linear") return rope;
    rope.low_freq_factor = parameters->required_positive_number("low_freq_factor");
    rope.high_freq_factor = parameters->required_positive_number("high_freq_factor");
    if (rope.high_freq_factor <= rope.low_freq_factor) parameters->fail("high_freq_factor", "must be greater than low_freq_factor");
    const auto original = parameters->integer("original_max_position_embeddings");
    if (!original && max_position_embeddings == 0) parameters->fail("original_max_position_embeddings", "is missing");
    rope.original_max_position_embeddings = original.value_or(max_position_embeddings);
    return rope;
}

std::vector<std::optional<int64_t>> read_windows(const ConfigReader& reader, const Family& family, int64_t num_blocks) {
    if (family.window == WindowPattern::None || !reader.boolean("use_sliding_window", !family.window_needs_switch)) return {};
    const auto window = reader.integer("sliding_window");
    if (!window) return {};
    const auto count = static_cast<size_t>(num_blocks);
    if (family.window == WindowPattern::EveryBlock) return std::vector<std::optional<int64_t>>(count, window);

    std::vector<std::optional<int64_t>> windows(count);
    if (const json* types = reader.find("layer_types")) {
        if (!types->is_array() || types->size() != count) reader.fail("layer_types", "must have one entry per block");
        for (size_t i = 0; i < count; ++i) {
            const json& type = (*types)[i];
            if (type == "sliding_attention") windows[i] = window;
            else if (type != "full_attention") reader.fail("layer_types", concat("has the unknown entry ", ConfigReader::shown(type)));
        }
    } else {
        const auto first = static_cast<size_t>(reader.integer("max_window_layers", 0).value_or(28));  // transformers' default
        for (size_t i = first; i < count; ++i) windows[i] = window;
    }
    return windows;
}

void read_experts(const ConfigReader& reader, ModelConfig& config) {
    const auto spelled = reader.integer("num_experts", 0, kMostExperts);
    config.num_experts = spelled ? *spelled : reader.integer("num_local_experts", 0, kMostExperts).value_or(0);
    if (config.num_experts == 0) return;
    config.num_experts_per_tok = reader.required_integer("num_experts_per_tok");
    if (config.num_experts_per_tok > config.num_experts) reader.fail("num_experts_per_tok", "is more than there are experts");
    config.moe_intermediate_size = reader.required_integer("moe_intermediate_size");
    config.norm_topk_prob = reader.boolean("norm_topk_prob", false);

    const int64_t step = reader.integer("decoder_sparse_step").value_or(1);
    config.sparse_block.resize(static_cast<size_t>(config.num_hidden_layers));
    for (size_t i = 0; i < config.sparse_block.size(); ++i) config.sparse_block[i] = (i + 1) % static_cast<size_t>(step) == 0;
    if (const json* dense = reader.find("mlp_only_layers")) {
        if (!dense->is_array()) reader.fail("mlp_only_layers", "must be a list of block numbers");
        for (const json& block : *dense) {
            if (!block.is_number_unsigned()) reader.fail("mlp_only_layers", "must be a list of block numbers");
            if (block.get<uint64_t>() < config.sparse_block.size()) config.sparse_block[block.get<uint64_t>()] = false;
        }
    }
}

DType read_dtype(const ConfigReader& reader) {
    const char* key = reader.find("dtype") != nullptr ? "dtype" : "torch_dtype";
    const auto name = reader.text(key);
    if (!name) return DType::Float32;
    try {
        return dtype_from_string(*name);
    } catch (const InputError&) {
        reader.fail(key, concat("\"", *name, "\" is not a known dtype"));
    }
}

std::optional<QuantizationConfig> read_quantization(const ConfigReader& reader, const fs::path& file) {
    const auto object = reader.object("quantization_config");
    if (!object) return std::nullopt;
    const std::string method = object->text("quant_method").value_or("compressed-tensors");
    if (method != "compressed-tensors")
        object->fail("quant_method", concat("\"", method, "\" is not supported; Calibench reads compressed-tensors"));
    try {
        return quantization_config_from_json(*reader.find("quantization_config"));
    } catch (const InputError& error) {
        throw InputError(concat(file.string(), ": quantization_config: ", error.what()));
    }
}

}  // namespace

ModelConfig read_model_config(const fs::path& model_dir) {
    std::error_code ignored;
    if (!fs::is_directory(model_dir, ignored)) throw InputError(concat(model_dir.string(), " is not a directory."));
    const fs::path file = model_dir / "config.json";
    ModelConfig config;
    config.raw = parse_config(file);
    const ConfigReader reader(config.raw, file.string());
    const Family& family = read_family(reader);

    config.model_type = family.model_type;
    config.architecture = family.architecture;
    config.dtype = read_dtype(reader);
    config.hidden_size = reader.required_integer("hidden_size");
    config.intermediate_size = reader.required_integer("intermediate_size");
    config.num_hidden_layers = reader.required_integer("num_hidden_layers", kMostBlocks);
    config.num_attention_heads = reader.required_integer("num_attention_heads");
    config.num_key_value_heads = reader.integer("num_key_value_heads").value_or(config.num_attention_heads);
    if (config.num_attention_heads % config.num_key_value_heads != 0)
        reader.fail("num_key_value_heads", "must divide num_attention_heads");
    const auto head_dim = reader.integer("head_dim");
    if (!head_dim && config.hidden_size % config.num_attention_heads != 0)
        reader.fail("num_attention_heads", "must divide hidden_size where head_dim is not given");
    config.head_dim = head_dim.value_or(config.hidden_size / config.num_attention_heads);
    if (config.head_dim > kMostElements / config.num_attention_heads) reader.fail("head_dim", "is too large");
    if (config.head_dim % 2 != 0) reader.fail("head_dim", concat("must be even for rotary embeddings, not ", config.head_dim));
    config.vocab_size = reader.required_integer("vocab_size");
    config.max_position_embeddings = reader.integer("max_position_embeddings").value_or(0);
    config.rms_norm_eps = reader.positive_number("rms_norm_eps").value_or(config.rms_norm_eps);
    config.hidden_act = reader.text("hidden_act").value_or(config.hidden_act);
    if (find_gated_activation(config.hidden_act) == nullptr)
        reader.fail("hidden_act", concat("\"", config.hidden_act, "\" is not supported; known are ", list_names(activation_names(), 99)));
    config.attention_bias = family.attention_bias == AttentionBias::QkvAlways ||
                            (family.attention_bias == AttentionBias::AsConfigured && reader.boolean("attention_bias", false));
    config.mlp_bias = family.mlp_bias_configurable && reader.boolean("mlp_bias", false);
    config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
    config.rope = read_rope(reader, config.max_position_embeddings);
    config.sliding_window = read_windows(reader, family, config.num_hidden_layers);
    if (family.sparse) read_experts(reader, config);
    config.quantization = read_quantization(reader, file);
    return config;
}

}  // namespace calibench
