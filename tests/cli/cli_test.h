#pragma once

#include <filesystem>
#include <memory>

#include <QFile>
#include <QObject>
#include <QProcess>
#include <QTemporaryDir>
#include <nlohmann/json.hpp>

// The built command line, driven as a script would.

namespace calibench::testing {

inline const QString demo = QStringLiteral(CALIBENCH_RESOURCES "/demo/");
inline const QString llama = demo + "tiny-llama-shakespeare";
inline const QString text = demo + "shakespeare.txt";

inline const QByteArray recipe = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 2
      batch_size: 2
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}}
)";

struct Outcome {
    int code = -1;  ///< -2: it does not end, -3: it crashed or was killed
    QString out;
    QString err;
};

inline Outcome run_cli(const QStringList& arguments) {
    QProcess process;
    process.start(CALIBENCH_CLI, arguments);
    if (!process.waitForFinished(120000)) return {-2, {}, process.errorString()};
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -3, process.readAllStandardOutput(), process.readAllStandardError()};
}

inline nlohmann::json parse(const QString& json) {
    return nlohmann::json::parse(json.toStdString(), nullptr, false);
}

/// A test in a folder of its own, a fresh one for every function.
class CliTest : public QObject {
protected:
    void begin() { dir_ = std::make_unique<QTemporaryDir>(); }

    [[nodiscard]] QString path(const QString& name) const { return dir_->filePath(name); }
    QString write(const QString& name, const QByteArray& bytes) const {
        QFile file(path(name));
        if (file.open(QIODevice::WriteOnly)) file.write(bytes);
        return path(name);
    }
    [[nodiscard]] QByteArray bytes(const QString& name) const {
        QFile file(path(name));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }
    [[nodiscard]] QString copy_of_llama() const {
        std::filesystem::copy(llama.toStdString(), path("model").toStdString());
        return path("model");
    }

    /// Four samples of 32 tokens, on one thread. The recipe lies in recipe.yaml afterwards.
    [[nodiscard]] QStringList run_of(const QString& model, const QString& dataset, const QByteArray& recipe_text, const QString& output = "out") const {
        return {"run", "--model", model, "--dataset", dataset, "--recipe", write("recipe.yaml", recipe_text), "--output", path(output),
                "--num-samples", "4", "--seq-len", "32", "--threads", "1"};
    }
    [[nodiscard]] QStringList demo_run(const QByteArray& recipe_text = recipe, const QString& output = "out") const {
        return run_of(llama, text, recipe_text, output);
    }

private:
    std::unique_ptr<QTemporaryDir> dir_;
};

}  // namespace calibench::testing
