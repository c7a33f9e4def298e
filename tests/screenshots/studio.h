#pragma once

#include <QTemporaryDir>

#include <functional>

#include "ui/main_window.h"

class QWidget;

namespace calibench {

/// A window with settings of its own, on the real core, and a camera.
class Studio {
public:
    /// Pictures become `folder`/<view><suffix>[@2x].png.
    Studio(const QString& folder, const QString& suffix);
    Studio(const Studio&) = delete;
    Studio& operator=(const Studio&) = delete;

    [[nodiscard]] MainWindow& window() { return m_window; }
    [[nodiscard]] QString temporaryFile(const QString& name) const { return m_temporary.filePath(name); }

    /// Throws after five minutes.
    void wait(const char* what, const std::function<bool()>& done) const;
    /// The window with what is open above it: dialogs, menus, the palette.
    void take(const char* view);
    void take(const char* view, QWidget& part);
    void ready();            ///< waits for the model and its recipe
    void shrink(int iters);  ///< runs that take seconds
    void showTab(int tab);
    void runThrough();       ///< to its end
    /// The Error tab has all that it is to show.
    [[nodiscard]] bool errorSettled();

private:
    [[nodiscard]] QString settingsFile() const;
    void save(const QPixmap& picture, const char* view) const;

    const QString m_folder, m_suffix;
    const QTemporaryDir m_temporary;
    Settings m_settings;
    MainWindow m_window;
};

}  // namespace calibench
