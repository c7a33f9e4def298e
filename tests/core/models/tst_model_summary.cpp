#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/models/causal_lm.h"
#include "core/models/model_summary.h"
#include "core/models/safetensors.h"
#include "tests/core/models/raw_safetensors.h"

using namespace calibench;
namespace fs = std::filesystem;

class ModelSummaryTest : public QObject {
    Q_OBJECT

    static const ModuleInfo* find(const ModelSummary& summary, const std::string& name) {
        for (const ModuleInfo& module : summary.modules)
            if (module.name == name) return &module;
        return nullptr;
    }
    static fs::path family(const char* name) { return fs::path(CALIBENCH_TEST_DATA "/families") / name; }
    static QString refusal(const fs::path& directory) {
        try {
            (void)inspect_model(directory);
        } catch (const InputError& error) {
            return QString::fromUtf8(error.what());
        }
        return {};
    }
    /// A writable copy of a family's directory.
    static fs::path copy_of(const char* name, const QTemporaryDir& target) {
        const fs::path copy = fs::path(target.path().toStdString()) / name;
        fs::copy(family(name), copy);
        return copy;
    }
    static void edit_config(const fs::path& directory, const char* key, const nlohmann::json& value) {
        nlohmann::json config = nlohmann::json::parse(read_bytes(directory / "config.json"));
        config[key] = value;
        write_bytes(directory / "config.json", config.dump());
    }

private Q_SLOTS:
    void lists_modules_in_model_order() {
        const ModelSummary summary = inspect_model(family("llama"));
        QCOMPARE(summary.architecture, std::string("LlamaForCausalLM"));
        QCOMPARE(summary.dtype, std::string("float32"));
        QCOMPARE(summary.num_blocks, 2);
        std::vector<std::string> expected = {"model.embed_tokens"};
        for (const std::string block : {"model.layers.0.", "model.layers.1."})
            for (const char* module : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj",
                                       "mlp.up_proj", "mlp.down_proj"})
                expected.push_back(block + module);
        expected.push_back("lm_head");
        std::vector<std::string> names;
        for (const ModuleInfo& module : summary.modules) names.push_back(module.name);
        QCOMPARE(names, expected);
        const ModuleInfo& key = *find(summary, "model.layers.1.self_attn.k_proj");
        QCOMPARE(key.class_name, std::string("Linear"));
        QCOMPARE(key.block, 1);
        QCOMPARE(key.shape, (std::vector<int64_t>{32, 64}));
        QCOMPARE(key.dtype, std::string("F32"));
        QCOMPARE(key.num_bytes, 32 * 64 * 4);
        QCOMPARE(find(summary, "model.embed_tokens")->class_name, std::string("Embedding"));
    }

    /// Every parameter of the file is counted once, in every family.
    void counts_the_whole_file() {
        for (const char* name : {"llama", "llama_tied_bias", "mistral", "qwen2", "qwen3", "qwen3_moe"}) {
            const ModelSummary summary = inspect_model(family(name));
            const SafetensorsFile file(family(name) / "model.safetensors");
            int64_t bytes = 0;
            for (const auto& [tensor, entry] : file.entries()) bytes += entry.num_bytes();
            QCOMPARE(summary.num_bytes, bytes);
            QCOMPARE(summary.num_parameters * 4, bytes);  // float32
        }
    }

    void a_tied_head_is_listed_but_owns_nothing() {
        const ModelSummary summary = inspect_model(family("llama_tied_bias"));
        QVERIFY(summary.tied_embeddings);
        const ModuleInfo& head = *find(summary, "lm_head");
        QCOMPARE(head.class_name, std::string("Linear"));
        QCOMPARE(head.shape, (std::vector<int64_t>{256, 64}));
        QCOMPARE(head.num_parameters, 0);
    }

    /// A recipe for Linear must reach the experts and leave the router alone.
    void a_router_is_no_linear() {
        const ModelSummary summary = inspect_model(family("qwen3_moe"));
        QCOMPARE(summary.num_experts, 6);
        QCOMPARE(find(summary, "model.layers.0.mlp.gate")->class_name, std::string("Qwen3MoeTopKRouter"));
        const ModuleInfo& expert = *find(summary, "model.layers.1.mlp.experts.5.down_proj");
        QCOMPARE(expert.class_name, std::string("Linear"));
        QCOMPARE(expert.expert, 5);
        QCOMPARE(expert.block, 1);
    }

    void json_says_the_same() {
        const ModelSummary summary = inspect_model(family("qwen3_moe"));
        const nlohmann::json json = to_json(summary);
        QCOMPARE(json["num_experts"].get<int64_t>(), 6);
        QCOMPARE(json["modules"].size(), summary.modules.size());
        QCOMPARE(json["modules"][1]["name"].get<std::string>(), std::string("model.layers.0.self_attn.q_proj"));
        QVERIFY(!json["modules"][0].contains("block"));
    }

    void names_everything_wrong_at_once() {
        const QTemporaryDir target;
        const fs::path directory = copy_of("llama", target);
        fs::remove(directory / "config.json");
        fs::remove(directory / "model.safetensors");
        write_bytes(directory / "model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
        const QString message = refusal(directory);
        for (const char* part : {"config.json is missing", "one.safetensors", "two.safetensors"})
            QVERIFY2(message.contains(part), qPrintable(message));
        QVERIFY(refusal(directory / "none").contains("is not a directory"));
    }

    void compares_the_file_with_the_architecture() {
        const QTemporaryDir target;
        const fs::path directory = copy_of("llama", target);
        edit_config(directory, "num_hidden_layers", 3);
        edit_config(directory, "intermediate_size", 96);
        const QString message = refusal(directory);
        for (const char* part : {"9 tensors that LlamaForCausalLM needs are missing: model.layers.2.self_attn.q_proj.weight",
                                 "model.layers.0.mlp.gate_proj.weight ([128, 64] instead of [96, 64])"})
            QVERIFY2(message.contains(part), qPrintable(message));
    }

    void stops_counting_when_nothing_fits() {
        const QTemporaryDir target;
        const fs::path directory = copy_of("qwen3_moe", target);
        edit_config(directory, "num_hidden_layers", 4096);
        edit_config(directory, "num_local_experts", 4096);
        QVERIFY(refusal(directory).contains("and "));  // 50 million modules are not enumerated
    }

    void refuses_weights_that_are_no_numbers_to_compute_with() {
        const QTemporaryDir target;
        const fs::path directory = copy_of("llama", target);
        std::string bytes = read_bytes(directory / "model.safetensors");
        const size_t first = bytes.find("\"F32\"");
        bytes.replace(first, 5, "\"I32\"");
        write_bytes(directory / "model.safetensors", bytes);
        QVERIFY2(refusal(directory).contains("(I32)"), qPrintable(refusal(directory)));
    }

    void reads_experts_fused_into_one_tensor();
};

/// The layout transformers uses in memory, which some checkpoints are saved in.
void ModelSummaryTest::reads_experts_fused_into_one_tensor() {
    const QTemporaryDir target;
    const fs::path directory = copy_of("qwen3_moe", target);
    const SafetensorsFile source(family("qwen3_moe") / "model.safetensors");
    const auto expert_weight = [&](int block, int expert, const char* projection) {
        const std::string parent = "model.layers." + std::to_string(block) + ".mlp.experts." + std::to_string(expert) + ".";
        return source.tensor(parent + projection + ".weight");
    };
    std::map<std::string, at::Tensor> tensors;
    for (const auto& [name, entry] : source.entries())
        if (name.find(".experts.") == std::string::npos) tensors[name] = source.tensor(name);
    for (int block = 0; block < 2; ++block) {
        std::vector<at::Tensor> gate_up, down;
        for (int expert = 0; expert < 6; ++expert) {
            gate_up.push_back(at::cat({expert_weight(block, expert, "gate_proj"), expert_weight(block, expert, "up_proj")}));
            down.push_back(expert_weight(block, expert, "down_proj"));
        }
        const std::string prefix = "model.layers." + std::to_string(block) + ".mlp.experts.";
        tensors[prefix + "gate_up_proj"] = at::stack(gate_up);
        tensors[prefix + "down_proj"] = at::stack(down);
    }
    nlohmann::json header;
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        const at::Tensor plain = tensor.contiguous();
        header[name] = {{"dtype", "F32"}, {"shape", plain.sizes().vec()}, {"data_offsets", {data.size(), data.size() + plain.nbytes()}}};
        data.append(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
    }
    write_bytes(directory / "model.safetensors", raw_safetensors(header.dump(), data));

    const ModelSummary separate = inspect_model(family("qwen3_moe"));
    const ModelSummary fused = inspect_model(directory);
    QCOMPARE(fused.num_bytes, separate.num_bytes);
    QCOMPARE(fused.num_parameters, separate.num_parameters);
    QCOMPARE(fused.modules.size(), separate.modules.size());

    at::NoGradGuard no_grad;
    const auto from_separate = CausalLm::open(family("qwen3_moe"));
    const auto from_fused = CausalLm::open(directory);
    const at::Tensor hidden = from_separate->embed(at::arange(3, 20, at::kLong).unsqueeze(0));
    QVERIFY(at::equal(from_fused->load_block(1)->forward(hidden, {}), from_separate->load_block(1)->forward(hidden, {})));
}

QTEST_GUILESS_MAIN(ModelSummaryTest)
#include "tst_model_summary.moc"
