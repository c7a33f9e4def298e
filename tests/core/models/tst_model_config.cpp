#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/models/model_config.h"
#include "tests/core/models/raw_safetensors.h"

using namespace calibench;
using nlohmann::json;

class ModelConfigTest : public QObject {
    Q_OBJECT

    QTemporaryDir dir_;

    static json sound_config() {
        return {{"architectures", {"LlamaForCausalLM"}}, {"hidden_size", 64}, {"intermediate_size", 128}, {"num_hidden_layers", 4},
                {"num_attention_heads", 4}, {"vocab_size", 256}, {"max_position_embeddings", 512}};
    }
    ModelConfig read(const json& config) const {
        write_bytes(dir_.filePath("config.json").toStdString(), config.dump());
        return read_model_config(dir_.path().toStdString());
    }

private Q_SLOTS:
    void fills_in_what_is_left_out() {
        const ModelConfig config = read(sound_config());
        QCOMPARE(config.model_type, std::string("llama"));
        QCOMPARE(config.head_dim, 16);
        QCOMPARE(config.num_key_value_heads, 4);
        QCOMPARE(config.hidden_act, std::string("silu"));
        QCOMPARE(config.rope.rope_theta, 10000.0);
        QVERIFY(config.dtype == DType::Float32);
        QVERIFY(!config.tie_word_embeddings && !config.attention_bias && config.sliding_window.empty() && config.num_experts == 0);
    }

    void reads_old_and_new_spellings_alike() {
        json old_style = sound_config();
        old_style["torch_dtype"] = "bfloat16";
        old_style["rope_theta"] = 500000.0;
        old_style["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0},
                                     {"original_max_position_embeddings", 8192}};
        json new_style = sound_config();
        new_style["dtype"] = "bfloat16";
        new_style["rope_parameters"] = old_style["rope_scaling"];
        new_style["rope_parameters"]["rope_theta"] = 500000.0;
        for (const json& spelled : {old_style, new_style}) {
            const ModelConfig config = read(spelled);
            QVERIFY(config.dtype == DType::BFloat16);
            QCOMPARE(config.rope.rope_type, std::string("llama3"));
            QCOMPARE(config.rope.rope_theta, 500000.0);
            QCOMPARE(config.rope.factor, 8.0);
            QCOMPARE(config.rope.original_max_position_embeddings, 8192);
        }
        json oldest = sound_config();
        oldest["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
        QCOMPARE(read(oldest).rope.rope_type, std::string("linear"));
        QCOMPARE(read(oldest).rope.factor, 2.0);
    }

    void reads_experts_under_both_names() {
        json config = sound_config();
        config["architectures"] = {"Qwen3MoeForCausalLM"};
        config["num_experts_per_tok"] = 2;
        config["moe_intermediate_size"] = 48;
        config["decoder_sparse_step"] = 2;
        config["mlp_only_layers"] = {3};
        for (const char* key : {"num_experts", "num_local_experts"}) {
            json spelled = config;
            spelled[key] = 6;
            const ModelConfig read_config = read(spelled);
            QCOMPARE(read_config.num_experts, 6);
            QCOMPARE(read_config.sparse_block, (std::vector<bool>{false, true, false, false}));
        }
    }

    void reads_sliding_windows() {
        using Windows = std::vector<std::optional<int64_t>>;
        json config = sound_config();
        config["sliding_window"] = 8;
        QVERIFY(read(config).sliding_window.empty());  // Llama has none
        config["architectures"] = {"MistralForCausalLM"};
        QVERIFY(read(config).sliding_window == Windows(4, 8));
        config["architectures"] = {"Qwen2ForCausalLM"};
        QVERIFY(read(config).sliding_window.empty());  // not without use_sliding_window
        config["use_sliding_window"] = true;
        config["max_window_layers"] = 3;
        QVERIFY(read(config).sliding_window == (Windows{{}, {}, {}, 8}));
        config["layer_types"] = {"sliding_attention", "full_attention", "full_attention", "sliding_attention"};
        QVERIFY(read(config).sliding_window == (Windows{8, {}, {}, 8}));
    }

    void names_the_key_that_is_wrong_data() {
        QTest::addColumn<QString>("key");
        QTest::addColumn<QString>("value");  // JSON; empty: the key is left out
        QTest::addColumn<QString>("said");
        QTest::newRow("missing") << "hidden_size" << "" << "hidden_size is missing";
        QTest::newRow("zero") << "hidden_size" << "0" << "hidden_size must be a whole number";
        QTest::newRow("negative") << "num_hidden_layers" << "-3" << "num_hidden_layers must be";
        QTest::newRow("endless") << "num_hidden_layers" << "1000000000" << "num_hidden_layers must be";
        QTest::newRow("beyond int64") << "vocab_size" << "18446744073709551615" << "vocab_size must be";
        QTest::newRow("a fraction") << "vocab_size" << "2.5" << "vocab_size must be";
        QTest::newRow("text") << "intermediate_size" << "\"big\"" << "intermediate_size must be";
        QTest::newRow("heads") << "num_key_value_heads" << "3" << "must divide num_attention_heads";
        QTest::newRow("odd head") << "head_dim" << "15" << "head_dim must be even";
        QTest::newRow("flag") << "tie_word_embeddings" << "1" << "tie_word_embeddings must be true or false";
        QTest::newRow("activation") << "hidden_act" << "\"mish\"" << "hidden_act \"mish\" is not supported";
        QTest::newRow("dtype") << "torch_dtype" << "\"float3\"" << "torch_dtype \"float3\"";
        QTest::newRow("rope type") << "rope_scaling" << R"({"type":"yarn","factor":4})" << "type \"yarn\" is not supported";
        QTest::newRow("rope factor") << "rope_parameters" << R"({"rope_type":"linear"})" << "rope_parameters: factor is missing";
        QTest::newRow("architecture") << "architectures" << R"(["FalconForCausalLM"])" << "FalconForCausalLM, which is not supported";
        QTest::newRow("no architecture") << "architectures" << "" << "architectures is missing";
        QTest::newRow("other method") << "quantization_config" << R"({"quant_method":"gptq"})" << "\"gptq\" is not supported";
    }
    void names_the_key_that_is_wrong() {
        QFETCH(QString, key);
        QFETCH(QString, value);
        QFETCH(QString, said);
        json config = sound_config();
        if (value.isEmpty()) config.erase(key.toStdString());
        else config[key.toStdString()] = json::parse(value.toStdString());
        try {
            (void)read(config);
            QFAIL("accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains("config.json") && QString(error.what()).contains(said), error.what());
        }
    }

    void says_when_the_file_is_no_config() {
        for (const char* text : {"", "{", "[1]", "\xff"}) {
            write_bytes(dir_.filePath("config.json").toStdString(), text);
            QVERIFY_THROWS_EXCEPTION(InputError, (void)read_model_config(dir_.path().toStdString()));
        }
        QVERIFY_THROWS_EXCEPTION(InputError, (void)read_model_config((dir_.path() + "/none").toStdString()));
    }
};

QTEST_GUILESS_MAIN(ModelConfigTest)
#include "tst_model_config.moc"
