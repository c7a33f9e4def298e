#include "ui/serving_snippets.h"

#include <QRegularExpression>
#include <QStringList>

namespace calibench {

namespace {

QString shellQuoted(const QString& text) {
    static const QRegularExpression plain(QStringLiteral("^[\\w@%+=:,./-]+$"));
    if (plain.match(text).hasMatch()) return text;
    return QLatin1Char('\'') + QString(text).replace(QLatin1Char('\''), QStringLiteral("'\\''")) + QLatin1Char('\'');
}

QString pythonQuoted(const QString& text) {
    return QLatin1Char('"') + QString(text).replace(QLatin1Char('\\'), QStringLiteral("\\\\")).replace(QLatin1Char('"'), QStringLiteral("\\\"")) + QLatin1Char('"');
}

/// vLLM's options for this checkpoint; its server spells them with dashes, its Python class with underscores.
struct Option {
    QString name, value;  ///< the value empty for a switch
};

QList<Option> optionsOf(const CheckpointFacts& facts, int tensorParallel) {
    QList<Option> options;
    if (tensorParallel > 1) options << Option{QStringLiteral("tensor-parallel-size"), QString::number(tensorParallel)};
    if (tensorParallel > 1 && facts.experts) options << Option{QStringLiteral("enable-expert-parallel"), {}};  // whole experts: no group is cut
    if (facts.quantizedCache) options << Option{QStringLiteral("kv-cache-dtype"), QStringLiteral("fp8")};
    return options;
}

QString serverCommand(const QString& folder, const QList<Option>& options) {
    QString command = QStringLiteral("vllm serve ") + shellQuoted(folder);
    for (const Option& option : options) {
        command += QStringLiteral(" --") + option.name;
        if (!option.value.isEmpty()) command += QLatin1Char(' ') + option.value;
    }
    return command + QLatin1Char('\n');
}

QString vllmProgram(const QString& folder, const QList<Option>& options) {
    QString arguments = pythonQuoted(folder);
    for (const Option& option : options) {
        bool number = false;
        option.value.toInt(&number);
        const QString value = option.value.isEmpty() ? QStringLiteral("True") : number ? option.value : pythonQuoted(option.value);
        arguments += QStringLiteral(", ") + QString(option.name).replace(QLatin1Char('-'), QLatin1Char('_')) + QLatin1Char('=') + value;
    }
    return QStringLiteral("from vllm import LLM, SamplingParams\n\n"
                          "llm = LLM(%1)\n"
                          "answers = llm.generate(\"To be, or not to be\", SamplingParams(max_tokens=64))\n"
                          "print(answers[0].outputs[0].text)\n").arg(arguments);
}

QString transformersProgram(const QString& folder) {
    return QStringLiteral("# pip install transformers compressed-tensors accelerate\n"
                          "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
                          "folder = %1\n"
                          "tokenizer = AutoTokenizer.from_pretrained(folder)\n"
                          "model = AutoModelForCausalLM.from_pretrained(folder, device_map=\"auto\")\n"
                          "inputs = tokenizer(\"To be, or not to be\", return_tensors=\"pt\").to(model.device)\n"
                          "print(tokenizer.decode(model.generate(**inputs, max_new_tokens=64)[0]))\n").arg(pythonQuoted(folder));
}

}  // namespace

QList<ServingSnippet> ServingSnippets::of(const CheckpointFacts& facts, const QString& folder, int tensorParallel) {
    const QList<Option> options = optionsOf(facts, tensorParallel);
    QStringList vllm, transformers;
    if (facts.quantizedCache) {
        vllm << tr("The cache's 8-bit scales are used with kv-cache-dtype fp8 only.");
        transformers << tr("The cache stays unquantized here.");
    }
    if (facts.experts && tensorParallel > 1) vllm << tr("Expert parallelism keeps every expert whole on one GPU, so that no group of its weights is cut.");
    if (facts.quantizedEmbedding) {
        vllm << tr("The embedding is quantized: try your release of vLLM on it before you rely on it.");
        transformers << tr("The embedding is quantized, which transformers 5.17 cannot load. Ignore embed_tokens in the recipe for a checkpoint that it can.");
    }
    const QString words = vllm.join(QLatin1Char(' '));
    return {{tr("vLLM server"), serverCommand(folder, options), words},
            {tr("vLLM in Python"), vllmProgram(folder, options), words},
            {tr("transformers"), transformersProgram(folder), transformers.join(QLatin1Char(' '))}};
}

}  // namespace calibench
