#include "ui/models/module_facts.h"

#include <QCoreApplication>
#include <QStringList>

#include <algorithm>

#include "ui/format.h"

namespace calibench {

namespace {

QString tr(const char* text, int n = -1) { return QCoreApplication::translate("ModuleFacts", text, nullptr, n); }

template <typename T>
void lower(std::optional<T>& kept, const std::optional<T>& value) {
    if (value && (!kept || *value < *kept)) kept = value;
}

template <typename T>
void raise(std::optional<T>& kept, const std::optional<T>& value) {
    if (value && (!kept || *value > *kept)) kept = value;
}

}  // namespace

void ModuleFacts::addModule(const ModuleRecord* record, const QString& scheme, bool isHighlighted) {
    ModuleFacts facts;
    facts.highlighted = isHighlighted;
    facts.quantizable = !scheme.isEmpty();
    if (facts.quantizable) facts.schemes.insert(scheme, 1);
    if (record) {
        facts.observed = facts.quantizable && (record->weight || record->input);
        facts.done = facts.quantizable && record->sqnrDb;
        if (record->weight) {
            facts.minWeight = record->weight->min;
            facts.maxWeight = record->weight->max;
        }
        facts.fewestTokens = facts.mostTokens = record->tokens;
        facts.worstSqnrDb = record->sqnrDb;
        facts.worstModule = record->name;
    }
    add(facts);
}

void ModuleFacts::add(const ModuleFacts& other) {
    for (auto scheme = other.schemes.begin(); scheme != other.schemes.end(); ++scheme) schemes[scheme.key()] += scheme.value();
    quantizable += other.quantizable;
    observed += other.observed;
    done += other.done;
    highlighted += other.highlighted;
    lower(minWeight, other.minWeight);
    raise(maxWeight, other.maxWeight);
    lower(fewestTokens, other.fewestTokens);
    raise(mostTokens, other.mostTokens);
    if (other.worstSqnrDb && (!worstSqnrDb || *other.worstSqnrDb < *worstSqnrDb)) {
        worstSqnrDb = other.worstSqnrDb;
        worstModule = other.worstModule;
    }
}

QString ModuleFacts::schemeText() const {
    return schemes.size() > 1 ? tr("%n schemes", static_cast<int>(schemes.size())) : schemes.isEmpty() ? QString() : schemes.firstKey();
}

QString ModuleFacts::schemeDetail() const {
    QStringList lines;
    for (auto scheme = schemes.begin(); scheme != schemes.end(); ++scheme)
        lines << tr("%1: %n module(s)", scheme.value()).arg(scheme.key());
    return lines.join(QLatin1Char('\n'));
}

QString ModuleFacts::tokensText() const {
    if (!fewestTokens) return {};
    if (*fewestTokens == *mostTokens) return formatCount(*fewestTokens);
    return tr("%1 … %2").arg(formatCount(*fewestTokens), formatCount(*mostTokens));
}

QString ModuleFacts::stateText(bool started) const {
    if (quantizable == 0) return {};
    if (done == quantizable) return tr("done");
    if (done > 0) return tr("%1 of %2 done").arg(formatCount(done), formatCount(quantizable));
    if (observed > 0) return tr("observed");
    return started ? tr("waiting") : QString();
}

}  // namespace calibench
