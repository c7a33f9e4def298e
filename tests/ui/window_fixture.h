#pragma once

#include <QFile>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>

#include <memory>

#include "tests/ui/fake_core.h"
#include "ui/main_window.h"
#include "ui/project/autosave.h"
#include "ui/project/project_commands.h"
#include "ui/project/project_document.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"

namespace calibench::test {

/// A folder with a model, a text, a recipe and settings, for windows on the fake core.
class WindowFolder {
public:
    WindowFolder() {
        QDir(m_folder.path()).mkpath(QStringLiteral("tiny"));
        write("tiny/config.json", "{}");
        write("text.txt", "to be or not to be");
        write("recipe.yaml", "test_stage:\n  quant_modifiers: {}\n");
        QSettings(file("settings.ini"), QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), file("runs"));
    }
    [[nodiscard]] QString file(const char* name) const { return m_folder.filePath(QString::fromLatin1(name)); }
    [[nodiscard]] QString path() const { return m_folder.path(); }
    void write(const char* name, const QByteArray& bytes) const {
        QFile out(file(name));
        if (!out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size()) qFatal("%s cannot be written", name);
    }
    [[nodiscard]] QByteArray read(const char* name) const {
        QFile in(file(name));
        return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
    }

private:
    QTemporaryDir m_folder;
};

/// A window with settings of its own. Destroying it without close() is what a crash leaves behind.
struct TestWindow {
    TestWindow(const QString& folder, CoreServices core, const QString& resources = {})
        : settings(folder + QStringLiteral("/settings.ini")), window(std::make_unique<MainWindow>(std::move(core), settings, resources.isEmpty() ? folder : resources)) {
        window->show();
    }
    explicit TestWindow(const WindowFolder& folder, bool endless = false) : TestWindow(folder.path(), fakeCore(endless)) {}
    MainWindow* operator->() const { return window.get(); }
    [[nodiscard]] RecipeEditor* editor() const { return window->recipePanel()->editor(); }
    [[nodiscard]] bool ready() const {
        return QTest::qWaitFor([this] { return window->session().obstacle().isEmpty(); }, 5000);
    }

    Settings settings;
    std::unique_ptr<MainWindow> window;
};

/// Opens the folder's model, text and recipe, and waits until a run could start.
inline void openAll(TestWindow& w, const WindowFolder& folder) {
    w->openModel(folder.file("tiny"));
    w->openData(folder.file("text.txt"));
    w->openRecipe(folder.file("recipe.yaml"));
    QVERIFY2(w.ready(), qPrintable(w->session().obstacle()));
}

}  // namespace calibench::test
