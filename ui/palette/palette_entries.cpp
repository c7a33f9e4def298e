#include "ui/palette/palette_entries.h"

#include <QAction>
#include <QCoreApplication>
#include <QFileInfo>
#include <QLineEdit>
#include <QMenu>
#include <QMenuBar>
#include <QRegularExpression>
#include <QSet>
#include <QToolBar>

#include "ui/main_window.h"
#include "ui/project/samples.h"
#include "ui/window_menus.h"

namespace calibench {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("PaletteEntries", text); }

QString withoutMnemonic(QString text) { return text.remove(QRegularExpression(QStringLiteral("&(?!&)"))); }

/// "Open a model (Ctrl+O)\nA run is at work.": why it is disabled stands behind the first line; see Actions.
QString detailOf(const QAction* action) {
    const QString reason = action->toolTip().section(QLatin1Char('\n'), 1).simplified();
    return action->isEnabled() || reason.isEmpty() ? action->shortcut().toString(QKeySequence::NativeText) : reason;
}

class Collector {
public:
    void addMenu(const QMenu* menu, const QString& path) {
        for (QAction* action : menu->actions()) {
            if (action->menu() && action->menu()->objectName() == recentMenuName()) continue;  // those have entries of their own
            if (action->menu())
                addMenu(action->menu(), path + withoutMnemonic(action->menu()->title()) + QStringLiteral(": "));
            else
                addAction(action, path);
        }
    }

    /// What panels and plots that are in sight offer in their own menus.
    void addPanelActions(const MainWindow& window) {
        for (const QToolBar* bar : window.findChildren<QToolBar*>()) m_seen.insert(bar->toggleViewAction());
        for (const QWidget* panel : window.findChildren<QWidget*>())
            if (panel->isVisible() && !qobject_cast<const QMenu*>(panel) && !qobject_cast<const QLineEdit*>(panel))
                for (QAction* action : panel->actions())
                    if (!action->menu()) addAction(action, {});
    }

    void addAction(QAction* action, const QString& path) {
        if (action->isSeparator() || !action->isVisible() || action->text().isEmpty() || m_seen.contains(action)) return;
        m_seen.insert(action);
        add(path + withoutMnemonic(action->text()), detailOf(action), {}, action->isEnabled(), [action] { action->trigger(); });
    }

    void addModules(Session& session) {
        for (const ModuleInfo& module : session.model().modules) {
            const QString name = QString::fromStdString(module.name);
            add(tr("Go to %1").arg(name), session.schemes().value(name), QStringLiteral("model"), true, [&session, name] { session.selectModule(name); });
        }
    }

    template <typename Open>
    void addFiles(const QStringList& paths, const QString& title, const QString& icon, Open open) {
        for (const QString& path : paths) {
            const bool exists = QFileInfo::exists(path);
            add(title.arg(QFileInfo(path).fileName()), exists ? QFileInfo(path).path() : tr("no longer there"), icon, exists, [open, path] { open(path); });
        }
    }

    void add(const QString& title, const QString& detail, const QString& icon, bool enabled, std::function<void()> run) {
        m_entries.push_back({.title = title, .detail = detail, .icon = icon, .enabled = enabled, .run = std::move(run)});
    }

    [[nodiscard]] std::vector<PaletteEntry> take() { return std::move(m_entries); }

private:
    QSet<const QAction*> m_seen;
    std::vector<PaletteEntry> m_entries;
};

}  // namespace

std::vector<PaletteEntry> paletteEntries(MainWindow& window, const Settings& settings, const QString& resources) {
    using Recent = Settings::Recent;
    Collector collector;
    for (const QAction* top : window.menuBar()->actions())
        if (const QMenu* menu = top->menu(); menu) collector.addMenu(menu, withoutMnemonic(menu->title()) + QStringLiteral(": "));
    collector.addPanelActions(window);
    collector.addFiles(settings.recent(Recent::Projects), tr("Open project %1"), QStringLiteral("open"), [&window](const QString& path) { window.openProject(path); });
    collector.addFiles(settings.recent(Recent::Models), tr("Open model %1"), QStringLiteral("open"), [&window](const QString& path) { window.openModel(path); });
    collector.addFiles(settings.recent(Recent::Recipes), tr("Open recipe %1"), QStringLiteral("recipe"), [&window](const QString& path) { window.openRecipe(path); });
    for (const SampleRecipe& sample : sampleRecipes(resources))
        collector.add(tr("Sample recipe: %1").arg(sample.title), QFileInfo(sample.file).fileName(), QStringLiteral("preset"), true,
                      [&window, file = sample.file] { window.openSample(file); });
    collector.addModules(window.session());
    return collector.take();
}

}  // namespace calibench
