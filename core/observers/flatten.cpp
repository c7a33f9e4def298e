#include "core/observers/flatten.h"

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

[[noreturn]] void refuse(const char* strategy, const char* target) {
    throw InputError(concat(strategy, " quantization cannot be applied to ", target));
}

void require_rank(const at::Tensor& value, int64_t at_least, const std::string& base_name, const char* shape) {
    if (value.dim() < at_least)
        throw InputError(concat("Cannot observe ", base_name, " of shape ", value.sizes(), ": expected ", shape));
}

Strategy strategy_of(const QuantizationArgs& args) {
    if (!args.strategy) throw InputError("Unknown strategy None");
    return *args.strategy;
}

/// [..., columns] -> [..., columns / group_size, group_size]
at::Tensor split_groups(const at::Tensor& value, const QuantizationArgs& args) {
    const int64_t group_size = args.group_size.value_or(0);
    if (group_size <= 0) throw InputError("strategy group requires group_size to be set to a positive value");
    const int64_t columns = value.size(-1);
    if (columns % group_size != 0)
        throw InputError(concat("unflatten: Provided sizes [-1, ", group_size, "] don't multiply up to the size of dim ",
                                value.dim() - 1, " (", columns, ") in the input tensor"));
    return value.unflatten(-1, {columns / group_size, group_size});
}

at::Tensor order_columns(const at::Tensor& value, const at::Tensor& g_idx) {
    if (!g_idx.defined() || g_idx.eq(-1).any().item<bool>()) return value;
    if (g_idx.numel() != value.size(-1))
        throw InputError(concat("g_idx has ", g_idx.numel(), " entries for a weight of ", value.size(-1), " columns"));
    return value.index_select(-1, at::argsort(g_idx, /*stable=*/true, /*dim=*/-1, /*descending=*/false));
}

/// [rows, columns] -> [1, block rows, block columns, height * width], zeros beyond the edges.
at::Tensor split_blocks(const at::Tensor& value, const QuantizationArgs& args) {
    if (value.dim() != 2) throw InputError(concat("Block quantization needs a 2-D weight, got shape ", value.sizes()));
    if (!args.block_structure || args.block_structure->size() != 2)
        throw InputError("Block strategy requires block structure [rows, columns]");
    const int64_t height = args.block_structure->at(0);
    const int64_t width = args.block_structure->at(1);
    const int64_t block_rows = (value.size(0) + height - 1) / height;
    const int64_t block_columns = (value.size(1) + width - 1) / width;
    const at::Tensor padded =
        at::constant_pad_nd(value, {0, block_columns * width - value.size(1), 0, block_rows * height - value.size(0)});
    return padded.reshape({block_rows, height, block_columns, width}).transpose(1, 2).flatten(-2, -1).unsqueeze(0);
}

at::Tensor flatten_weight(const at::Tensor& value, const QuantizationArgs& args, const at::Tensor& g_idx) {
    switch (strategy_of(args)) {
        case Strategy::Tensor: return value.reshape({1, 1, -1});
        case Strategy::Channel: return value.unsqueeze(-2).unsqueeze(0);
        case Strategy::Group:
        case Strategy::TensorGroup: return split_groups(order_columns(value, g_idx), args).unsqueeze(0);
        case Strategy::Block: return split_blocks(value, args);
        case Strategy::Token: refuse("Token", "weights");
        case Strategy::AttnHead: refuse("Attention head", "weights");
    }
    throw InputError("Unknown strategy");
}

at::Tensor flatten_activation(const at::Tensor& value, const QuantizationArgs& args) {
    switch (strategy_of(args)) {
        case Strategy::Tensor: return value.reshape({-1, 1, value.size(-1)});
        case Strategy::Token: return value;
        // The reference merges the first two dimensions whatever the rank: of a 2-D activation that is tokens and columns.
        case Strategy::Group:
        case Strategy::TensorGroup: return split_groups(value.flatten(0, 1), args);
        case Strategy::Channel: refuse("Channel", "activations");
        case Strategy::Block: refuse("Block", "activations");
        case Strategy::AttnHead: refuse("Attention head", "activations");
    }
    throw InputError("Unknown strategy");
}

at::Tensor flatten_attention(const at::Tensor& value, const QuantizationArgs& args) {
    switch (strategy_of(args)) {
        case Strategy::Tensor: return value.transpose(1, 2).flatten(0, 1).flatten(-2, -1).unsqueeze(-2);
        case Strategy::AttnHead: return value.transpose(1, 2).flatten(0, 1).unsqueeze(-2).unsqueeze(-2);
        case Strategy::Token: refuse("Token", "attention");
        case Strategy::Channel: refuse("Channel", "attention");
        case Strategy::Group:
        case Strategy::TensorGroup: refuse("Group", "attention");
        case Strategy::Block: refuse("Block", "attention");
    }
    throw InputError("Unknown strategy");
}

}  // namespace

at::Tensor flatten_for_calibration(const at::Tensor& value, const std::string& base_name, const QuantizationArgs& args,
                                   const at::Tensor& g_idx) {
    if (base_name == "weight") {
        require_rank(value, 1, base_name, "[rows, columns]");
        return flatten_weight(value, args, g_idx);
    }
    if (base_name == "input" || base_name == "output") {
        require_rank(value, 2, base_name, "[batch, sequence, hidden]");
        return flatten_activation(value, args);
    }
    if (base_name == "q" || base_name == "k" || base_name == "v") {
        require_rank(value, 4, base_name, "[batch, heads, sequence, head_dim]");
        return flatten_attention(value, args);
    }
    throw InputError("Unknown quantization base name: " + base_name);
}

}  // namespace calibench
