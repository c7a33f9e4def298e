#pragma once

#include <QDialog>

class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QSpinBox;

namespace calibench {

class Settings;

/// The user's preferences. Every change holds at once; there is nothing to apply and nothing to cancel.
class SettingsDialog : public QDialog {
    Q_OBJECT

public:
    explicit SettingsDialog(Settings& settings, QWidget* parent = nullptr);

private:
    void addRuns(QFormLayout* form);
    void addFolders(QFormLayout* form);
    void addWindow(QFormLayout* form);
    QLineEdit* addFolder(QFormLayout* form, const QString& label, const QString& help, void (Settings::*set)(const QString&));
    void applyRunOptions();
    void applyFolder(QLineEdit* edit, void (Settings::*set)(const QString&));
    void load();
    void measureWorkspace();

    Settings& m_settings;
    QSpinBox* m_threads = nullptr;
    QComboBox* m_device = nullptr;
    QComboBox* m_dtype = nullptr;
    QLineEdit* m_workspace = nullptr;
    QLineEdit* m_exportFolder = nullptr;
    QLabel* m_space = nullptr;
    QComboBox* m_theme = nullptr;
    QSpinBox* m_autosave = nullptr;
    QSpinBox* m_notify = nullptr;
    QString m_measured;  ///< the folder whose size is on screen or being measured
};

}  // namespace calibench
