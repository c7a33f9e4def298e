#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/checkpoint_writer.h"
#include "core/checkpoint/output_file.h"
#include "core/checkpoint/write_behind.h"
#include "core/models/checkpoint.h"

using namespace calibench;
namespace fs = std::filesystem;

class TestCheckpointWriter : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void writesTheBytesOfTheSafetensorsLibrary();
    void oneShardIsModelSafetensors();
    void everyTensorIsAligned();
    void aHeaderOutgrowsItsRoom();
    void manyShardsHaveAnIndex();
    void configKeepsTheSourceAndSortsKeys();
    void nothingRemainsWithoutCommit();
    void refusesADestinationInUse();
    void refusesAnUnwritableDestination();
    void refusesANameTwice();
    void aFullDiskIsOneSentence();
    void writesBehindInOrder();
    void whatAWriteThrewTheNextCallThrows();
    void quantizationConfigIsThePeers();

private:
    QTemporaryDir dir_;
    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_.path().toStdString()) / name; }
    [[nodiscard]] fs::path make_source(const char* name) const;
};

static std::string read_bytes(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

static std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

fs::path TestCheckpointWriter::make_source(const char* name) const {
    const fs::path source = path(name);
    fs::create_directories(source);
    std::ofstream(source / "config.json") << R"({"z": 1, "model_type": "llama", "a": [1.0, 1e-06]})";
    std::ofstream(source / "tokenizer.json") << "{}";
    std::ofstream(source / "pytorch_model.bin") << "not carried";
    return source;
}

void TestCheckpointWriter::writesTheBytesOfTheSafetensorsLibrary() {
    // safetensors.torch.save({...}, {"format": "pt"})
    const std::string header = R"({"__metadata__":{"format":"pt"},"ab":{"dtype":"I64","shape":[5],"data_offsets":[0,40]},)"
                               R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[40,64]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[64,70]},)"
                               R"("z":{"dtype":"U8","shape":[3],"data_offsets":[70,73]}}  )";
    const fs::path file = path("library.safetensors");
    write_safetensors(file, {{"b", at::zeros({3}, at::kBFloat16)}, {"a", at::ones({2, 3})}, {"ab", at::ones({5}, at::kLong)}, {"z", at::ones({3}, at::kByte)}});
    const std::string bytes = read_bytes(file);
    QCOMPARE(bytes.size(), 8 + header.size() + 73);
    QCOMPARE(bytes.substr(0, 8), std::string("\x00\x01\x00\x00\x00\x00\x00\x00", 8));
    QCOMPARE(bytes.substr(8, header.size()), header);
    QCOMPARE(bytes.substr(bytes.size() - 3), std::string("\x01\x01\x01"));
    QCOMPARE(std::distance(fs::directory_iterator(path("")), fs::directory_iterator()), 1);
}

void TestCheckpointWriter::oneShardIsModelSafetensors() {
    const fs::path output = path("single");
    const at::Tensor transposed = at::arange(6, at::kFloat).view({2, 3}).t();
    CheckpointWriter writer({make_source("source"), output});
    writer.add({{"scalar", at::scalar_tensor(2.5)}, {"odd", at::ones({3}, at::kBFloat16)}});
    writer.add({{"transposed", transposed}, {"words", at::full({2, 2}, -7, at::kInt)}});
    QVERIFY(!fs::exists(output));
    writer.commit({{"quant_method", "compressed-tensors"}}, "stage: {}\n");
    QCOMPARE(writer.bytes_written(), 4 + 6 + 24 + 16);
    const SafetensorsFile file(output / "model.safetensors");
    QVERIFY(at::equal(file.tensor("transposed"), transposed));
    QVERIFY(at::equal(file.tensor("words"), at::full({2, 2}, -7, at::kInt)));
    QCOMPARE(file.tensor("scalar").item<float>(), 2.5f);
    QCOMPARE(file.entries().at("odd").begin % 2, 0u);
    QVERIFY(!fs::exists(output / "model.safetensors.index.json"));
    QCOMPARE(std::distance(fs::directory_iterator(output), fs::directory_iterator()), 4);  // with config.json
    QCOMPARE(read_bytes(output / "recipe.yaml"), "stage: {}\n");
    QCOMPARE(read_bytes(output / "tokenizer.json"), "{}");
    QVERIFY(!fs::exists(output / "pytorch_model.bin"));
}

/// The safetensors library reads tensors in place, and refuses a file with gaps.
void TestCheckpointWriter::everyTensorIsAligned() {
    const fs::path output = path("aligned");
    CheckpointWriter writer({make_source("source"), output});
    std::vector<NamedTensor> tensors;
    for (const at::ScalarType dtype : {at::kByte, at::kBFloat16, at::kFloat, at::kLong})
        for (const int64_t count : {1, 2, 3, 4, 7, 8, 129}) tensors.push_back({concat(c10::toString(dtype), count), at::full({count}, count, dtype)});
    for (const NamedTensor& tensor : tensors) writer.add({tensor});
    writer.commit(nlohmann::json::object(), "");
    const SafetensorsFile file(output / "model.safetensors");
    QCOMPARE(file.entries().size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
        QCOMPARE(file.entries().at(name).begin % tensor.element_size(), 0u);
        QVERIFY2(file.tensor(name).equal(tensor), name.c_str());
    }
}

void TestCheckpointWriter::aHeaderOutgrowsItsRoom() {
    const auto written = [&](const char* name, uint64_t room) {
        CheckpointWriter writer({make_source("source"), path(name), 5LL << 30, room});
        for (int i = 0; i < 20; ++i) writer.add({{concat("tensor", i), at::full({5}, float(i))}});
        writer.commit(nlohmann::json::object(), "");
        const SafetensorsFile file(path(name) / "model.safetensors");
        for (int i = 0; i < 20; ++i) QVERIFY(file.tensor(concat("tensor", i)).equal(at::full({5}, float(i))));
        QCOMPARE(std::distance(fs::directory_iterator(path(name)), fs::directory_iterator()), 4);
    };
    written("cramped", 0);
    written("tight", 101);
    written("ample", 10000);
    QVERIFY(fs::file_size(path("cramped") / "model.safetensors") < 8000);
    QCOMPARE(fs::file_size(path("cramped") / "model.safetensors"), fs::file_size(path("tight") / "model.safetensors"));
    QCOMPARE(fs::file_size(path("ample") / "model.safetensors"), uintmax_t{10000 + 20 * 5 * 4});
}

void TestCheckpointWriter::manyShardsHaveAnIndex() {
    const fs::path output = path("sharded");
    CheckpointWriter writer({make_source("source"), output, 100});
    for (int i = 0; i < 5; ++i) writer.add({{concat("t", i), at::full({10}, float(i))}});  // 40 bytes each: two to a shard
    writer.add({{"large", at::ones({100})}});
    writer.commit(nlohmann::json::object(), "");
    const auto index = nlohmann::json::parse(read_bytes(output / "model.safetensors.index.json"));
    QCOMPARE(index["metadata"]["total_size"].get<int64_t>(), 600);
    QCOMPARE(index["weight_map"]["t0"].get<std::string>(), "model-00001-of-00004.safetensors");
    QCOMPARE(index["weight_map"]["t4"].get<std::string>(), "model-00003-of-00004.safetensors");
    QCOMPARE(index["weight_map"]["large"].get<std::string>(), "model-00004-of-00004.safetensors");
    const Checkpoint checkpoint(output);
    QCOMPARE(checkpoint.names().size(), 6u);
    QVERIFY(at::equal(checkpoint.tensor("t3"), at::full({10}, 3.0f)));
}

void TestCheckpointWriter::configKeepsTheSourceAndSortsKeys() {
    const fs::path output = path("config");
    CheckpointWriter writer({make_source("source"), output});
    writer.add({{"t", at::ones({1})}});
    writer.commit({{"quant_method", "compressed-tensors"}}, "");
    QCOMPARE(read_bytes(output / "config.json"),
             "{\n  \"a\": [\n    1.0,\n    1e-06\n  ],\n  \"model_type\": \"llama\",\n  \"quantization_config\": {\n"
             "    \"quant_method\": \"compressed-tensors\"\n  },\n  \"z\": 1\n}");
}

void TestCheckpointWriter::nothingRemainsWithoutCommit() {
    const fs::path parent = path("abandoned");
    {
        CheckpointWriter writer({make_source("source"), parent / "out/", 10});
        writer.add({{"t", at::ones({100})}, {"u", at::ones({100})}});
        QVERIFY(!fs::is_empty(parent));
    }
    QVERIFY(fs::is_empty(parent));
}

void TestCheckpointWriter::refusesADestinationInUse() {
    const fs::path source = make_source("source");
    const std::string message = message_of([&] { CheckpointWriter({source, source}); });
    QVERIFY2(message.find("not an empty directory") != std::string::npos, message.c_str());
    const std::string file = message_of([&] { CheckpointWriter({source, source / "config.json"}); });
    QVERIFY2(file.find("config.json") != std::string::npos, file.c_str());
}

void TestCheckpointWriter::refusesAnUnwritableDestination() {
    const fs::path source = make_source("source");
    const std::string message = message_of([&] { CheckpointWriter({source, source / "config.json" / "below"}); });
    QVERIFY2(message.find("cannot be written") != std::string::npos, message.c_str());
}

void TestCheckpointWriter::refusesANameTwice() {
    CheckpointWriter writer({make_source("source"), path("twice")});
    writer.add({{"t", at::ones({1})}});
    QVERIFY_EXCEPTION_THROWN(writer.add({{"t", at::ones({1})}}), RunError);
}

void TestCheckpointWriter::aFullDiskIsOneSentence() {
    OutputFile file("/dev/full");
    const std::string message = message_of([&] { file.write("x", 1); });
    QVERIFY2(message.find("/dev/full: the disk is full") == 0, message.c_str());
}

void TestCheckpointWriter::writesBehindInOrder() {
    std::vector<int> written;
    {
        WriteBehind writes(100);
        for (int i = 0; i < 200; ++i) writes.add(i, [&written, i] { written.push_back(i); });  // the last ones wait alone
        writes.finish();
        QCOMPARE(written.size(), size_t(200));
        QVERIFY(std::is_sorted(written.begin(), written.end()));
        writes.add(1, [&] { written.push_back(200); });
        writes.finish();
    }
    QCOMPARE(written.back(), 200);
}

void TestCheckpointWriter::whatAWriteThrewTheNextCallThrows() {
    WriteBehind writes(100);
    bool went_on = false;
    writes.add(1, [] { throw RunError("the disk is full."); });
    QVERIFY_EXCEPTION_THROWN(writes.finish(), RunError);
    QVERIFY_EXCEPTION_THROWN(writes.add(1000, [&] { went_on = true; }), RunError);
    writes.drop();
    QVERIFY(!went_on);
}

void TestCheckpointWriter::quantizationConfigIsThePeers() {
    // the keys of ModelCompressor.update_config and of QuantizationConfig.model_dump, compressed-tensors 0.19
    QuantizationScheme scheme;
    scheme.targets = {"Linear"};
    scheme.weights = quantization_args_from_json({{"num_bits", 4}, {"type", "int"}, {"symmetric", true}, {"strategy", "group"}, {"group_size", 64}});
    const auto config = quantization_config_json({{"group_0", scheme}}, {"lm_head"}, {});
    const auto expected = nlohmann::json::parse(R"({
      "config_groups": {"group_0": {"format": "pack-quantized", "input_activations": null, "output_activations": null, "targets": ["Linear"],
        "weights": {"actorder": null, "block_structure": null, "dynamic": false, "group_size": 64, "num_bits": 4, "observer": null,
                    "observer_kwargs": {}, "scale_dtype": null, "strategy": "group", "symmetric": true, "type": "int", "zp_dtype": null}}},
      "format": "pack-quantized", "global_compression_ratio": null, "ignore": ["lm_head"], "kv_cache_scheme": null,
      "quant_method": "compressed-tensors", "quantization_status": "compressed", "sparsity_config": {}, "transform_config": {}, "version": "0.19.0"})");
    QCOMPARE(QString::fromStdString(config.dump(2)), QString::fromStdString(expected.dump(2)));
    scheme.weights->num_bits = 8;
    scheme.input_activations = QuantizationArgs{.num_bits = 8, .strategy = Strategy::Token, .dynamic = Dynamic::Yes};
    QuantizationScheme packed;
    packed.targets = {"re:.*mlp.*"};
    packed.weights = quantization_args_from_json({{"num_bits", 4}, {"group_size", 32}});
    const auto mixed = quantization_config_json({{"group_0", scheme}, {"group_1", packed}}, {}, {});
    QCOMPARE(mixed["format"].get<std::string>(), "mixed-precision");
    QCOMPARE(mixed["config_groups"]["group_0"]["format"].get<std::string>(), "int-quantized");
    QCOMPARE(mixed["config_groups"]["group_1"]["format"].get<std::string>(), "pack-quantized");
}

QTEST_GUILESS_MAIN(TestCheckpointWriter)
#include "tst_checkpoint_writer.moc"
