#pragma once

#include <QDialog>
#include <QElapsedTimer>
#include <QTimer>

#include <filesystem>
#include <memory>
#include <optional>

#include "ui/checkpoint_export.h"
#include "ui/core_services.h"

class QCheckBox;
class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;

namespace calibench {

class ServingCheck;
class Settings;
class SnippetsView;

/// A finished run whose results are to be taken along.
struct ExportSource {
    std::filesystem::path checkpoint;
    RunConfig config;  ///< as the run ended
    QString name;      ///< suggested for the folder
};

/// Copies a finished run's checkpoint, its recipe or both to where the user wants them; tells before what they are and what vLLM will
/// say to them, and afterwards how they are loaded. Not modal: the window stays usable meanwhile.
class ExportDialog : public QDialog {
    Q_OBJECT

public:
    /// `settings` must outlive the dialog.
    ExportDialog(const CoreServices& services, ExportSource source, Settings& settings, QWidget* parent = nullptr);
    ~ExportDialog() override;

    [[nodiscard]] QLineEdit* destination() const { return m_destination; }
    [[nodiscard]] QPushButton* exportButton() const { return m_export; }
    [[nodiscard]] QPushButton* closeButton() const { return m_close; }  ///< cancels while copying

public Q_SLOTS:
    void reject() override;  ///< cancels what is being copied, or closes

Q_SIGNALS:
    void exported(const QString& folder);

private:
    struct Job;

    void makeControls(const QString& suggested);
    [[nodiscard]] QWidget* makeForm();
    void readCheckpoint();
    void browse();
    void showFacts();
    void checkDestination();
    [[nodiscard]] QString obstacle() const;  ///< why it cannot be exported as things stand; empty when it can
    [[nodiscard]] QString recipeFile() const;
    [[nodiscard]] ExportOrder order() const;
    void start();
    void setBusy(bool busy);
    void showProgress();
    void finish(const QString& error);
    void showSnippets();

    const ExportSource m_source;
    Settings& m_settings;
    std::shared_ptr<Job> m_job;  ///< while copying
    std::optional<CheckpointFacts> m_facts;
    ExportOrder m_exported;      ///< what was exported last
    QCheckBox *m_checkpoint, *m_recipe;
    QLabel *m_checkpointFacts, *m_recipeFacts, *m_space, *m_status;
    QLineEdit* m_destination;
    QPushButton *m_choose, *m_export, *m_openFolder, *m_close;
    ServingCheck* m_serving;
    SnippetsView* m_snippets;
    QProgressBar* m_bar;
    QTimer m_poll;
    QElapsedTimer m_clock;
};

}  // namespace calibench
