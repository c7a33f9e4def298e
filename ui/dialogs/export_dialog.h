#pragma once

#include <QDialog>
#include <QTimer>

#include <filesystem>
#include <memory>

class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;

namespace calibench {

class Settings;

/// Copies a finished run's checkpoint to where the user wants it. Not modal: the window stays usable meanwhile.
class ExportDialog : public QDialog {
    Q_OBJECT

public:
    ExportDialog(std::filesystem::path checkpoint, const QString& suggestedName, Settings& settings, QWidget* parent = nullptr);
    ~ExportDialog() override;

    [[nodiscard]] QLineEdit* destination() const { return m_destination; }

public Q_SLOTS:
    void start();

Q_SIGNALS:
    void exported(const QString& folder);

private:
    struct Job;

    void browse();
    void checkDestination();
    void showProgress();
    void finish(const QString& error);

    const std::filesystem::path m_checkpoint;
    Settings& m_settings;
    std::shared_ptr<Job> m_job;  ///< while copying
    QLineEdit* m_destination;
    QLabel* m_facts;
    QLabel* m_status;
    QProgressBar* m_bar;
    QPushButton* m_export;
    QPushButton* m_openFolder;
    QPushButton* m_close;
    QTimer m_poll;
    qint64 m_bytes = 0;
};

}  // namespace calibench
