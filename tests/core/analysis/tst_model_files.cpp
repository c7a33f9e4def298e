#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/analysis/model_files.h"
#include "core/base/error.h"
#include "tests/core/analysis/edited_model.h"

using namespace calibench;
using namespace calibench::testing;
namespace fs = std::filesystem;

/// Models opened to look at single modules.
class ModelFilesTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;
    fs::path model_;  ///< a copy of the demo

    void replace_in_config(const std::string& what, const std::string& by) const {
        std::stringstream text;
        text << std::ifstream(model_ / "config.json").rdbuf();
        std::string config = text.str();
        const size_t at = config.find(what);
        QVERIFY2(at != std::string::npos, config.c_str());
        config.replace(at, what.size(), by);
        std::ofstream(model_ / "config.json") << config;
    }
    [[nodiscard]] QString refusal(const std::string& module) const {
        try {
            (void)ModelFiles(model_).weight(module);
        } catch (const InputError& error) {
            return error.what();
        }
        return "accepted";
    }

private Q_SLOTS:
    void init() {
        dir_ = std::make_unique<QTemporaryDir>();
        model_ = fs::path(dir_->path().toStdString()) / "model";
        fs::copy(fs::path(CALIBENCH_RESOURCES) / "demo" / "tiny-llama-shakespeare", model_);
    }

    void gives_weights_as_they_are_stored() {
        const ModelFiles files(model_);
        for (const char* module : {"model.embed_tokens", "model.layers.3.mlp.down_proj", "lm_head"}) {
            const at::Tensor weight = files.weight(module), stored = stored_tensor(model_, std::string(module) + ".weight");
            QCOMPARE(weight.scalar_type(), stored.scalar_type());
            QVERIFY(at::equal(weight, stored));
            QCOMPARE(files.owner_of(module).name, module);
        }
    }

    void knows_that_a_tied_head_is_the_embedding() {
        replace_in_config("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
        edit_tensors(model_, [](const std::string& name, const at::Tensor& tensor) { return name.starts_with("lm_head") ? at::Tensor() : tensor; });
        const ModelFiles files(model_);
        QCOMPARE(files.owner_of("lm_head").name, "model.embed_tokens");
        QVERIFY(at::equal(files.weight("lm_head"), files.weight("model.embed_tokens")));
    }

    void says_what_cannot_be_looked_at() {
        QVERIFY(refusal("model.layers.1.self_attn.k_prj").endsWith("; did you mean model.layers.1.self_attn.k_proj?"));
        QVERIFY(refusal("model.layers.9.self_attn.k_proj").contains("has no module"));
        QVERIFY(refusal("model.layers.1.input_layernorm").contains("has no matrix to quantize"));
        replace_tensor(model_, "model.layers.1.self_attn.k_proj.weight", at::zeros({2, 3}, at::kBFloat16));
        QVERIFY2(refusal("model.layers.1.self_attn.k_proj").contains("of shape [2, 3] where config.json asks for"), qPrintable(refusal("model.layers.1.self_attn.k_proj")));
        edit_tensors(model_, [](const std::string& name, const at::Tensor& tensor) { return name.find("1.self_attn.k_proj") == std::string::npos ? tensor : at::Tensor(); });
        QVERIFY(refusal("model.layers.1.self_attn.k_proj").endsWith("has no tensor model.layers.1.self_attn.k_proj.weight."));
        QCOMPARE(refusal("model.layers.1.self_attn.q_proj"), QString("accepted"));  // what does not concern it is not checked
    }

    void is_shared_while_it_is_looked_at() {
        const auto first = open_model_files(model_);
        QCOMPARE(open_model_files(model_ / "." / "").get(), first.get());
        fs::last_write_time(model_ / "config.json", fs::file_time_type::clock::now() + std::chrono::seconds(2));
        const auto second = open_model_files(model_);
        QVERIFY(second != first);
        QCOMPARE(open_model_files(model_).get(), second.get());
        QVERIFY_EXCEPTION_THROWN((void)open_model_files(model_ / "nowhere"), InputError);
    }
};

QTEST_GUILESS_MAIN(ModelFilesTest)
#include "tst_model_files.moc"
