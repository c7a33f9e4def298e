#include "core/quantization/quantization_args.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

using nlohmann::json;

template <typename Enum, size_t N>
using Names = std::array<std::pair<Enum, const char*>, N>;

constexpr Names<QuantizationType, 2> type_names{{{QuantizationType::Int, "int"}, {QuantizationType::Float, "float"}}};

constexpr Names<Strategy, 7> strategy_names{{{Strategy::Tensor, "tensor"},
                                             {Strategy::Channel, "channel"},
                                             {Strategy::Group, "group"},
                                             {Strategy::Block, "block"},
                                             {Strategy::Token, "token"},
                                             {Strategy::TensorGroup, "tensor_group"},
                                             {Strategy::AttnHead, "attn_head"}}};

constexpr Names<ActOrder, 3> actorder_names{
    {{ActOrder::Group, "group"}, {ActOrder::Weight, "weight"}, {ActOrder::Static, "static"}}};

constexpr Names<DType, 11> dtype_names{{{DType::Float32, "float32"},
                                        {DType::Float16, "float16"},
                                        {DType::BFloat16, "bfloat16"},
                                        {DType::Float64, "float64"},
                                        {DType::Float8E4M3, "float8_e4m3fn"},
                                        {DType::UInt8, "uint8"},
                                        {DType::Int8, "int8"},
                                        {DType::Int16, "int16"},
                                        {DType::Int32, "int32"},
                                        {DType::Int64, "int64"},
                                        {DType::Bool, "bool"}}};

template <typename Enum, size_t N>
std::string name_of(const Names<Enum, N>& names, Enum value) {
    const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.first == value; });
    return found->second;
}

template <typename Enum, size_t N>
std::optional<Enum> find_name(const Names<Enum, N>& names, const std::string& name) {
    const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return name == entry.second; });
    if (found == names.end()) return {};
    return found->first;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    return text;
}

/// An enum's value as the reference reads it; otherwise its sentence, and what there is to choose from.
template <typename Enum, size_t N>
Enum read_enum(const Names<Enum, N>& names, const std::string& key, const json& value, const char* enum_name) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (value.is_string())
        if (const auto found = find_name(names, lower(text))) return *found;
    std::vector<std::string> choices;
    for (const auto& entry : names) choices.push_back(entry.second);
    throw InputError(concat(key, ": '", text, "' is not a valid ", enum_name, "; choose from ", list_names(choices, N)));
}

int64_t read_int(const std::string& key, const json& value) {
    if (value.is_number_integer()) return value.get<int64_t>();
    if (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>() && std::abs(value.get<double>()) < 1e15)
        return int64_t(value.get<double>());
    if (value.is_string()) {  // the reference accepts "4" for 4
        const auto& text = value.get_ref<const std::string&>();
        int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc() && end == text.data() + text.size()) return number;
    }
    throw InputError(concat(key, ": Input should be a valid integer, got ", value.dump()));
}

bool read_bool(const std::string& key, const json& value) {
    if (value.is_boolean()) return value.get<bool>();
    const std::string text = value.is_string() ? lower(value.get<std::string>()) : value.dump();
    for (const char* word : {"1", "true", "t", "yes", "y", "on"})
        if (text == word) return true;
    for (const char* word : {"0", "false", "f", "no", "n", "off"})
        if (text == word) return false;
    throw InputError(concat(key, ": Input should be a valid boolean, got ", value.dump()));
}

std::string read_string(const std::string& key, const json& value) {
    if (!value.is_string()) throw InputError(concat(key, ": Input should be a valid string, got ", value.dump()));
    return value.get<std::string>();
}

Dynamic read_dynamic(const json& value) {
    if (!value.is_string()) return read_bool("dynamic", value) ? Dynamic::Yes : Dynamic::No;
    if (lower(value.get<std::string>()) == "local") return Dynamic::Local;
    throw InputError(concat("dynamic: ", value.dump(), " is not a valid DynamicType; choose from true, false, local"));
}

std::optional<ActOrder> read_actorder(const json& value, ArgsSource source) {
    if (value.is_boolean()) {
        if (!value.get<bool>()) return {};
        throw InputError("actorder: actorder=True previously mapped to ActivationOrdering.GROUP, which has been removed. "
                         "Consider using actorder='weight' instead.");
    }
    const std::string text = read_string("actorder", value);
    if (lower(text) == "group" || lower(text) == "dynamic") {
        if (source == ArgsSource::Checkpoint) return ActOrder::Group;
        throw InputError(concat("actorder: actorder='", text,
                                "' has been removed. Consider using actorder='weight' or actorder=None instead."));
    }
    return read_enum(actorder_names, "actorder", value, "ActivationOrdering");
}

std::vector<int64_t> read_block_structure(const json& value) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const InputError error(concat("block_structure: Invalid block_structure '", text,
                                  "'. Must be a list of positive ints [rows, cols]."));
    std::vector<int64_t> sizes;
    if (value.is_string()) {  // "128x128", the older spelling
        std::istringstream parts(text);
        for (std::string part; std::getline(parts, part, 'x');) {
            int64_t size = 0;
            const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), size);
            if (failed != std::errc() || end != part.data() + part.size()) throw error;
            sizes.push_back(size);
        }
    } else if (value.is_array()) {
        for (const json& size : value) {
            if (!size.is_number_integer()) throw error;
            sizes.push_back(size.get<int64_t>());
        }
    }
    if (sizes.size() != 2 || sizes[0] <= 0 || sizes[1] <= 0) throw error;
    return sizes;
}

std::string invalid_group_size(int64_t size) {
    return concat("group_size: Invalid group size ", size,
                  ". Use group_size > 0 for strategy='group' and group_size = -1 for 'channel'");
}

int64_t read_group_size(const json& value) {
    const int64_t size = read_int("group_size", value);
    if (size < -1) throw InputError(invalid_group_size(size));
    return size;
}

void read_field(QuantizationArgs& args, const std::string& key, const json& value, ArgsSource source) {
    if (key == "num_bits") {
        const int64_t bits = read_int(key, value);
        if (bits < 1 || bits > 32) throw InputError(concat("num_bits: ", bits, " is out of range, use 1 to 32"));
        args.num_bits = int(bits);
    } else if (key == "type") {
        args.type = read_enum(type_names, key, value, "QuantizationType");
    } else if (key == "symmetric") {
        args.symmetric = read_bool(key, value);
    } else if (key == "dynamic") {
        args.dynamic = read_dynamic(value);
    } else if (key == "observer_kwargs") {
        if (!value.is_object()) throw InputError(concat("observer_kwargs: Input should be a valid dictionary, got ", value.dump()));
        args.observer_kwargs = value;
    } else if (value.is_null()) {
        return;  // the remaining fields are optional
    } else if (key == "group_size") {
        args.group_size = read_group_size(value);
    } else if (key == "strategy") {
        args.strategy = read_enum(strategy_names, key, value, "QuantizationStrategy");
    } else if (key == "block_structure") {
        args.block_structure = read_block_structure(value);
    } else if (key == "actorder") {
        args.actorder = read_actorder(value, source);
    } else if (key == "scale_dtype") {
        args.scale_dtype = dtype_from_string(read_string(key, value));
    } else if (key == "zp_dtype") {
        args.zp_dtype = dtype_from_string(read_string(key, value));
    } else {
        args.observer = read_string(key, value);
    }
}

bool is_grouped(Strategy strategy) { return strategy == Strategy::Group || strategy == Strategy::TensorGroup; }

void check_dynamic(const QuantizationArgs& args) {
    const Strategy strategy = *args.strategy;
    if (strategy == Strategy::Token && args.dynamic == Dynamic::No)
        throw InputError("Cannot perform static token quantization, please use `dynamic=True`");
    if (args.dynamic == Dynamic::No) return;
    if (strategy == Strategy::Channel || strategy == Strategy::Block || strategy == Strategy::AttnHead)
        throw InputError(concat("One of (token, tensor, tensor_group, group) must be used for dynamic quant., not ",
                                to_string(strategy)));
    if (args.dynamic == Dynamic::Local && strategy != Strategy::TensorGroup)
        throw InputError("local is only supported for strategy tensor_group");
}

}  // namespace

QuantizationArgs quantization_args_from_json(const json& object, ArgsSource source) {
    if (!object.is_object()) throw InputError(concat("quantization arguments must be a mapping of fields, got ", object.dump()));
    static const std::vector<std::string> fields = {"num_bits", "type",     "symmetric",   "group_size", "strategy", "block_structure",
                                                    "dynamic",  "actorder", "scale_dtype", "zp_dtype",   "observer", "observer_kwargs"};
    QuantizationArgs args;
    for (const auto& [key, value] : object.items()) {
        if (std::find(fields.begin(), fields.end(), key) == fields.end()) {
            const std::string near = closest_match(key, fields);
            throw InputError(concat(key, ": Extra inputs are not permitted",
                                    near.empty() ? "; the fields are " + list_names(fields, fields.size())
                                                 : "; did you mean " + near + "?"));
        }
        read_field(args, key, value, source);
    }
    return resolve_defaults(std::move(args));
}

QuantizationArgs resolve_defaults(QuantizationArgs args) {
    const int64_t group_size = args.group_size.value_or(-1);
    if (!args.strategy) {
        if (group_size == 0) throw InputError(invalid_group_size(0));
        if (!args.group_size) args.strategy = Strategy::Tensor;
        else args.strategy = group_size > 0 ? Strategy::Group : Strategy::Channel;
    }
    const Strategy strategy = *args.strategy;
    if (is_grouped(strategy) && group_size <= 0)
        throw InputError(concat("strategy ", to_string(strategy), " requires group_size to be set to a positive value"));
    if (!is_grouped(strategy) && group_size > 0) throw InputError("group_size requires strategy to be set to 'group'");
    if (strategy == Strategy::Block && !args.block_structure) throw InputError("Block strategy requires block structure");
    if (strategy != Strategy::Block && args.block_structure) throw InputError("Block structure requires block strategy");
    check_dynamic(args);
    if (!args.zp_dtype) {
        const bool is_fp4 = args.type == QuantizationType::Float && args.num_bits == 4;
        args.zp_dtype = is_fp4 ? DType::Float8E4M3 : storage_dtype(args);
    }
    return args;
}

json to_json(const QuantizationArgs& args) {
    const auto optional_name = [](const auto& field) { return field ? json(to_string(*field)) : json(); };
    json dynamic = args.dynamic == Dynamic::Yes;
    if (args.dynamic == Dynamic::Local) dynamic = "local";
    return {
        {"num_bits", args.num_bits},
        {"type", to_string(args.type)},
        {"symmetric", args.symmetric},
        {"group_size", args.group_size ? json(*args.group_size) : json()},
        {"strategy", optional_name(args.strategy)},
        {"block_structure", args.block_structure ? json(*args.block_structure) : json()},
        {"dynamic", dynamic},
        {"actorder", optional_name(args.actorder)},
        {"scale_dtype", optional_name(args.scale_dtype)},
        {"zp_dtype", args.symmetric ? json() : optional_name(args.zp_dtype)},
        {"observer", args.observer ? json(*args.observer) : json()},
        {"observer_kwargs", args.observer_kwargs},
    };
}

DType storage_dtype(const QuantizationArgs& args) {
    if (args.type == QuantizationType::Float) {
        if (args.num_bits == 8) return DType::Float8E4M3;
        throw InputError(concat("num_bits: Only num_bits in (8) are supported for type float, got ", args.num_bits));
    }
    if (args.num_bits <= 8) return DType::Int8;
    return args.num_bits <= 16 ? DType::Int16 : DType::Int32;
}

bool is_mx(const QuantizationArgs& args) {
    return args.type == QuantizationType::Float && (args.num_bits == 4 || args.num_bits == 8) && args.group_size == 32 &&
           args.scale_dtype == DType::UInt8;
}

std::string to_string(QuantizationType type) { return name_of(type_names, type); }
std::string to_string(Strategy strategy) { return name_of(strategy_names, strategy); }
std::string to_string(ActOrder order) { return name_of(actorder_names, order); }
std::string to_string(DType dtype) { return "torch." + name_of(dtype_names, dtype); }

DType dtype_from_string(const std::string& name) {
    const std::string prefix = "torch.";
    const std::string plain = name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
    if (const auto dtype = find_name(dtype_names, plain)) return *dtype;
    throw InputError(concat("No such torch dtype `torch.", plain, "`"));
}

std::string describe(const QuantizationArgs& args) {
    std::string text = concat(args.type == QuantizationType::Float ? "fp" : "int", args.num_bits);
    const Strategy strategy = args.strategy.value_or(Strategy::Tensor);
    if (is_grouped(strategy) && args.group_size) text += concat(" g", *args.group_size);
    else if (strategy == Strategy::Block && args.block_structure)
        text += concat(" block ", args.block_structure->at(0), "x", args.block_structure->at(1));
    else text += " " + to_string(strategy);
    text += args.symmetric ? " sym" : " asym";
    if (args.dynamic == Dynamic::Yes) text += " dynamic";
    if (args.dynamic == Dynamic::Local) text += " local";
    return text;
}

}  // namespace calibench
