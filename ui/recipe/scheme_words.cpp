#include "ui/recipe/scheme_words.h"

#include <QCoreApplication>
#include <QSet>
#include <QStringList>

#include <algorithm>
#include <utility>
#include <vector>

#include "ui/format.h"
#include "ui/session.h"

namespace calibench {

namespace {

constexpr qsizetype NamesInTooltip = 4;

QString tr(const char* text, int count = -1) { return QCoreApplication::translate("SchemeWords", text, nullptr, count); }

QString sharing(const QuantizationArgs& args) {
    switch (args.strategy.value_or(Strategy::Tensor)) {
        case Strategy::Tensor: return tr("with one scale per tensor");
        case Strategy::Channel: return tr("with one scale per channel");
        case Strategy::Token: return tr("with one scale per token");
        case Strategy::Block: return tr("in blocks of %1").arg(formatShape(args.block_structure.value_or(std::vector<int64_t>{})));
        case Strategy::AttnHead: return tr("with one scale per attention head");
        case Strategy::Group:
        case Strategy::TensorGroup: return tr("in groups of %1").arg(args.group_size.value_or(0));
    }
    return {};
}

QString argsWords(const QuantizationArgs& args) {
    QString words = (args.type == QuantizationType::Float ? tr("%1-bit floats %2") : tr("%1-bit integers %2")).arg(args.num_bits).arg(sharing(args));
    if (!args.symmetric) words += tr(", with zero points");
    if (args.dynamic != Dynamic::No) words += tr(", measured at run time");
    return words;
}

/// "model.layers.0.mlp.up_proj, … and 26 more".
QString someOf(const QStringList& names) {
    QString text = names.mid(0, NamesInTooltip).join(QStringLiteral(", "));
    if (names.size() > NamesInTooltip) text += tr(" and %n more", static_cast<int>(names.size() - NamesInTooltip));
    return text;
}

}  // namespace

QString schemeWords(const QuantizationScheme& scheme) {
    const QString weights = scheme.weights ? tr("Weights: %1.").arg(argsWords(*scheme.weights)) : tr("Weights stay as they are.");
    const QString inputs = scheme.input_activations ? tr("Inputs: %1.").arg(argsWords(*scheme.input_activations)) : tr("Activations stay as they are.");
    return weights + QLatin1Char(' ') + inputs;
}

RecipeEffect recipeEffect(const Session& session) {
    if (session.modelState() != Session::ModelState::Ready || !session.parsedRecipe()) return {};
    std::vector<std::pair<QString, QStringList>> schemes;  // in model order
    QSet<QString> groups;
    for (const ResolvedModule& module : session.resolvedModules()) {
        const QString name = QString::fromStdString(module.name);
        const QString scheme = session.schemes().value(name);
        groups.insert(QString::number(module.modifier) + QLatin1Char('/') + QString::fromStdString(module.config_group));
        auto found = std::find_if(schemes.begin(), schemes.end(), [&](const auto& entry) { return entry.first == scheme; });
        if (found == schemes.end()) found = schemes.insert(schemes.end(), {scheme, {}});
        found->second << name;
    }
    QStringList left;
    for (const ModuleInfo& module : session.model().modules) {
        const QString name = QString::fromStdString(module.name);
        if (module.class_name == "Linear" && !session.schemes().contains(name)) left << name;
    }
    const auto quantized = static_cast<int>(session.resolvedModules().size());
    if (quantized == 0) return {tr("Quantizes no module of this model"), {}};

    QStringList counts, details;
    for (const auto& [scheme, modules] : schemes) {
        counts << tr("%1 (%2)").arg(scheme, formatCount(modules.size()));
        details << tr("%1: %2").arg(scheme, someOf(modules));
    }
    RecipeEffect effect{tr("Quantizes %n module(s) in ", quantized) + tr("%n group(s): ", static_cast<int>(groups.size())) + counts.join(QStringLiteral(", ")), {}};
    if (!left.isEmpty()) {
        effect.sentence += tr("; %1 left alone").arg(formatCount(left.size()));
        details << tr("Left alone: %1").arg(someOf(left));
    }
    effect.details = details.join(QLatin1Char('\n'));
    return effect;
}

}  // namespace calibench
