#include <ATen/ATen.h>

#include <QtTest/QTest>

#include "core/checkpoint/compressed_size.h"
#include "core/checkpoint/compressor.h"

using namespace calibench;

/// What is foretold of a module's size is what its export takes.
class CompressedSizeTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void foretells_what_is_stored_data() {
        QTest::addColumn<QString>("scheme");
        for (const std::string& name : preset_scheme_names()) {
            const QuantizationScheme scheme = preset_scheme(name, {"Linear"});
            if (scheme.weights) QTest::newRow(name.c_str()) << QString::fromStdString(to_json(scheme).dump());
        }
        for (const char* strategy : {R"("tensor")", R"("channel")", R"("group", "group_size": 64)"})
            for (int bits : {3, 4, 8})
                QTest::addRow("asymmetric int%d %s", bits, strategy)
                    << QString(R"({"targets": ["Linear"], "weights": {"num_bits": %1, "symmetric": false, "strategy": %2}})").arg(bits).arg(strategy);
    }

    void foretells_what_is_stored() {
        QFETCH(QString, scheme);
        const QuantizationScheme parsed = quantization_scheme_from_json(nlohmann::json::parse(scheme.toStdString()));
        const CompressionFormat format = infer_format(parsed);
        // 200 rows divide neither into words of 3-bit values nor into blocks of 128.
        const int64_t rows = 200, columns = 256;
        const auto scale_shape = weight_scale_shape(*parsed.weights, rows, columns);
        ModuleQParams qparams{{at::ones(scale_shape, at::kBFloat16), at::zeros(scale_shape, at::kChar), {}}, {}, {}};
        if (parsed.weights->strategy == Strategy::TensorGroup) qparams.weight.global_scale = at::ones({1});
        const auto& inputs = parsed.input_activations;
        if (inputs && inputs->dynamic == Dynamic::Local) qparams.input.global_scale = at::ones({1});
        if (inputs && inputs->dynamic == Dynamic::No) qparams.input.scale = at::ones({1}, at::kBFloat16);

        int64_t stored = 0;
        for (const NamedTensor& entry : compress_linear(at::ones({rows, columns}, at::kBFloat16), {}, qparams, parsed, format))
            stored += static_cast<int64_t>(entry.tensor.nbytes());
        QCOMPARE(compressed_bytes(parsed, format, rows, columns, 2), stored);
    }
};

QTEST_GUILESS_MAIN(CompressedSizeTest)
#include "tst_compressed_size.moc"
