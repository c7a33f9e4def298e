#include "core/models/module_plan.h"

#include "core/base/text.h"
#include "core/models/family.h"

namespace calibench {

namespace {

/// Collects the modules of one block under their full names.
class BlockPlan {
public:
    BlockPlan(const ModelConfig& config, int64_t index)
        : config_(config), family_(family_of(config.architecture)), prefix_(block_name(index) + "."), block_(static_cast<int>(index)) {}

    std::vector<ModuleSpec> build() {
        add_attention();
        const auto block = static_cast<size_t>(block_);
        if (block < config_.sparse_block.size() && config_.sparse_block[block]) add_experts();
        else add_mlp("mlp.", config_.intermediate_size, config_.mlp_bias, -1);
        add_norm("input_layernorm", config_.hidden_size);
        add_norm("post_attention_layernorm", config_.hidden_size);
        return std::move(specs_);
    }

private:
    void add_attention() {
        const int64_t hidden = config_.hidden_size;
        const int64_t queries = config_.num_attention_heads * config_.head_dim;
        const int64_t keys = config_.num_key_value_heads * config_.head_dim;
        const bool bias = config_.attention_bias;
        add_linear("self_attn.q_proj", queries, hidden, bias);
        add_linear("self_attn.k_proj", keys, hidden, bias);
        add_linear("self_attn.v_proj", keys, hidden, bias);
        add_linear("self_attn.o_proj", hidden, queries, bias && family_.attention_bias != AttentionBias::QkvAlways);
        if (family_.qk_norm) {
            add_norm("self_attn.q_norm", config_.head_dim);
            add_norm("self_attn.k_norm", config_.head_dim);
        }
    }

    void add_mlp(const std::string& parent, int64_t intermediate, bool bias, int expert) {
        add_linear(parent + "gate_proj", intermediate, config_.hidden_size, bias, expert);
        add_linear(parent + "up_proj", intermediate, config_.hidden_size, bias, expert);
        add_linear(parent + "down_proj", config_.hidden_size, intermediate, bias, expert);
    }

    void add_experts() {
        for (int expert = 0; expert < static_cast<int>(config_.num_experts); ++expert)
            add_mlp(concat("mlp.experts.", expert, "."), config_.moe_intermediate_size, false, expert);
        // Its class is no Linear in transformers, so a recipe for Linear leaves the routing alone.
        add("mlp.gate", family_.class_prefix + "TopKRouter", {config_.num_experts, config_.hidden_size}, false, -1);
    }

    void add_linear(const std::string& name, int64_t out, int64_t in, bool bias, int expert = -1) {
        add(name, "Linear", {out, in}, bias, expert);
    }
    void add_norm(const std::string& name, int64_t size) { add(name, family_.class_prefix + "RMSNorm", {size}, false, -1); }

    void add(const std::string& name, std::string class_name, std::vector<int64_t> shape, bool bias, int expert) {
        specs_.push_back({prefix_ + name, std::move(class_name), std::move(shape), bias, block_, expert});
    }

    const ModelConfig& config_;
    const Family& family_;
    std::string prefix_;
    int block_;
    std::vector<ModuleSpec> specs_;
};

}  // namespace

std::string block_name(int64_t index) { return concat("model.layers.", index); }

std::vector<ModuleSpec> block_modules(const ModelConfig& config, int64_t index) { return BlockPlan(config, index).build(); }

ModuleSpec embedding_module(const ModelConfig& config) {
    return {"model.embed_tokens", "Embedding", {config.vocab_size, config.hidden_size}};
}

ModuleSpec final_norm_module(const ModelConfig& config) {
    return {"model.norm", family_of(config.architecture).class_prefix + "RMSNorm", {config.hidden_size}};
}

ModuleSpec head_module(const ModelConfig& config) { return {"lm_head", "Linear", {config.vocab_size, config.hidden_size}}; }

FusedExpertTensor fused_expert_tensor(const ModelConfig& config, const ModuleSpec& spec) {
    const std::string experts = block_name(spec.block) + ".mlp.experts.";
    const int64_t rows = spec.weight_shape[0];
    const int64_t columns = spec.weight_shape[1];
    if (spec.name.ends_with(".down_proj")) return {experts + "down_proj", {config.num_experts, rows, columns}, 0};
    return {experts + "gate_up_proj", {config.num_experts, 2 * rows, columns}, spec.name.ends_with(".up_proj") ? rows : 0};
}

}  // namespace calibench
