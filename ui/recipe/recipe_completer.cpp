#include "ui/recipe/recipe_completer.h"

#include <QAbstractItemView>
#include <QCompleter>
#include <QRegularExpression>
#include <QScrollBar>
#include <QStringListModel>

#include "ui/recipe/recipe_editor.h"
#include "ui/session.h"

namespace calibench {

namespace {

constexpr qsizetype MinTyped = 2;  // a list that pops up with every letter is in the way

QStringList words(const char* text) { return QString::fromLatin1(text).split(QLatin1Char(' ')); }

QStringList toTexts(const std::vector<std::string>& names) {
    QStringList texts;
    for (const std::string& name : names) texts << QString::fromStdString(name);
    return texts;
}

/// The keys of the maps around a line that is `indent` deep, the innermost first.
QStringList keysAround(const QStringList& lines, qsizetype indent) {
    static const QRegularExpression key(QStringLiteral("^( *)([A-Za-z_][\\w.-]*)\\s*:"));
    QStringList keys;
    for (qsizetype i = lines.size() - 2; i >= 0 && indent > 0; --i) {
        const QRegularExpressionMatch match = key.match(lines[i]);
        if (!match.hasMatch() || match.capturedLength(1) >= indent) continue;
        keys << match.captured(2);
        indent = match.capturedLength(1);
    }
    return keys;
}

QStringList keysOf(const QStringList& around) {
    const QString owner = around.value(0);
    if (around.isEmpty()) return words("default_stage calibench");
    if (owner == QLatin1String("calibench")) return words("effort minmax_lr lr_scheduler momentum gradient_accumulate_steps enable_minmax_tuning enable_quanted_input not_use_best_mse dynamic_max_gap "
                                                        "nblocks enable_alg_ext enable_lfq");
    if (owner.endsWith(QLatin1String("_stage"))) return words("default_modifiers");
    if (owner.endsWith(QLatin1String("modifiers"))) return words("AutoRoundModifier QuantizationModifier");
    const QStringList shared = words("scheme targets ignore config_groups kv_cache_scheme weight_observer input_observer output_observer bypass_divisibility_checks");
    if (owner == QLatin1String("AutoRoundModifier")) return words("iters batch_size lr disable_opt_rtn device_ids") + shared;
    if (owner == QLatin1String("QuantizationModifier")) return shared;
    if (around.value(1) == QLatin1String("config_groups")) return words("targets weights input_activations output_activations format");
    static const QStringList withArguments = words("weights input_activations output_activations kv_cache_scheme");
    if (withArguments.contains(owner))
        return words("num_bits type symmetric strategy group_size block_structure dynamic actorder scale_dtype zp_dtype observer observer_kwargs");
    return {};
}

QStringList valuesOf(const QString& key, const CoreServices& services) {
    if (key == QLatin1String("scheme")) return toTexts(services.presetSchemeNames());
    if (key.endsWith(QLatin1String("observer"))) return toTexts(services.observerNames());
    if (key == QLatin1String("strategy")) return words("tensor channel group block token tensor_group attn_head");
    if (key == QLatin1String("type")) return words("int float");
    if (key == QLatin1String("actorder")) return words("weight static");
    static const QStringList flags = words("symmetric dynamic enable_minmax_tuning enable_quanted_input not_use_best_mse enable_alg_ext enable_lfq disable_opt_rtn "
                                            "bypass_divisibility_checks");
    if (key == QLatin1String("lr_scheduler")) return words("linear constant");
    if (key == QLatin1String("effort")) return words("exact quick");
    return flags.contains(key) ? words("true false") : QStringList();
}

/// Class names, and a pattern for every kind of projection.
QStringList targetsOf(const ModelSummary& model) {
    QStringList targets{QStringLiteral("Linear"), QStringLiteral("Embedding")};
    for (const ModuleInfo& module : model.modules) {
        const QString name = QString::fromStdString(module.name);
        const QString target = module.block < 0 ? name : QStringLiteral("'re:.*%1$'").arg(name.section(QLatin1Char('.'), -1));
        if (!targets.contains(target)) targets << target;
    }
    return targets;
}

bool holdsTargets(const QString& key) { return key == QLatin1String("targets") || key == QLatin1String("ignore"); }

}  // namespace

Completions completionsAt(const QString& before, const Session& session) {
    static const QRegularExpression keyStart(QStringLiteral("^( *)(?:- +)?([A-Za-z_][\\w.-]*)?$"));
    static const QRegularExpression valueStart(QStringLiteral("(?:^ *|[{,] *)([A-Za-z_][\\w.-]*) *: +([\\w.-]*)$"));
    static const QRegularExpression inlineItem(QStringLiteral("^ *([A-Za-z_]+) *: *\\[(?:[^\\]]*, *)?([^\\[\\], ]*)$"));
    static const QRegularExpression listItem(QStringLiteral("^( *)- +(\\S*)$"));
    const QStringList lines = before.split(QLatin1Char('\n'));
    const QString& line = lines.back();
    if (line.contains(QLatin1Char('#'))) return {};
    if (const auto match = inlineItem.match(line); match.hasMatch())
        return {match.captured(2), holdsTargets(match.captured(1)) ? targetsOf(session.model()) : QStringList()};
    if (const auto match = listItem.match(line); match.hasMatch()) {
        const QStringList around = keysAround(lines, match.capturedLength(1) + 1);  // a list may be as deep as its key
        return {match.captured(2), holdsTargets(around.value(0)) ? targetsOf(session.model()) : QStringList()};
    }
    if (const auto match = valueStart.match(line); match.hasMatch()) return {match.captured(2), valuesOf(match.captured(1), session.services())};
    if (const auto match = keyStart.match(line); match.hasMatch()) return {match.captured(2), keysOf(keysAround(lines, match.capturedLength(1)))};
    return {};
}

RecipeCompleter::RecipeCompleter(RecipeEditor& editor, const Session& session)
    : QObject(&editor), m_editor(editor), m_session(session), m_choices(new QStringListModel(this)), m_completer(new QCompleter(m_choices, this)) {
    m_completer->setWidget(&editor);
    m_completer->setFilterMode(Qt::MatchContains);
    m_completer->setCaseSensitivity(Qt::CaseInsensitive);
    editor.setCompleter(m_completer);
    connect(m_completer, qOverload<const QString&>(&QCompleter::activated), this, &RecipeCompleter::insert);
    connect(&editor, &RecipeEditor::typed, this, [this] { offer(false); });
    connect(&editor, &RecipeEditor::completionRequested, this, [this] { offer(true); });
}

void RecipeCompleter::offer(bool asked) {
    const QTextCursor cursor = m_editor.textCursor();
    const QString before = m_editor.text().left(cursor.position());
    const auto [word, choices] = completionsAt(before, m_session);
    const bool complete = choices.contains(word);
    if (choices.isEmpty() || complete || (!asked && word.size() < MinTyped)) return m_completer->popup()->hide();
    m_wordLength = word.size();
    m_choices->setStringList(choices);
    m_completer->setCompletionPrefix(word);
    if (m_completer->completionCount() == 0) return m_completer->popup()->hide();
    QAbstractItemView* popup = m_completer->popup();
    popup->setCurrentIndex(m_completer->completionModel()->index(0, 0));
    QRect place = m_editor.cursorRect().translated(m_editor.viewport()->pos());
    place.setWidth(popup->sizeHintForColumn(0) + popup->verticalScrollBar()->sizeHint().width() + 8);
    m_completer->complete(place);
}

void RecipeCompleter::insert(const QString& choice) {
    QTextCursor cursor = m_editor.textCursor();
    cursor.movePosition(QTextCursor::Left, QTextCursor::KeepAnchor, static_cast<int>(m_wordLength));
    cursor.insertText(choice);
    m_editor.setTextCursor(cursor);
}

}  // namespace calibench
