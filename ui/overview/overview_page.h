#pragma once

#include <QSet>
#include <QWidget>

#include "ui/overview/overview_loader.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QLineEdit;
class QProgressBar;
class QToolButton;
class QTreeView;

namespace calibench {

class OverviewFilter;
class OverviewMap;
class OverviewModel;
class RunController;
class Session;
class StatePage;

/// All modules at once: a table with the worst one first, and a map of one of its columns by block and projection.
class OverviewPage : public QWidget {
    Q_OBJECT

public:
    OverviewPage(Session& session, const RunController& controller, QWidget* parent = nullptr);
    ~OverviewPage() override;

    [[nodiscard]] OverviewLoader& loader() { return m_loader; }
    [[nodiscard]] QTreeView* table() const { return m_table; }
    [[nodiscard]] OverviewMap* map() const { return m_map; }

Q_SIGNALS:
    void errorRequested();  ///< the selected module is to be looked at closely

protected:
    void showEvent(QShowEvent* event) override;

private:
    QWidget* makeContent();
    QWidget* makeControls();
    void makeTable();
    void look();          ///< at the modules as things stand
    void showState();
    void setMetric(int index);
    void applyLimit();
    void showSelection(const QString& module);
    void takeSelection();
    void takePicked();
    void copy() const;

    Session& m_session;
    const RunController& m_controller;
    OverviewLoader m_loader;
    OverviewModel* m_model;
    OverviewFilter* m_filtered;
    OverviewMap* m_map;
    QTreeView* m_table;
    QLineEdit* m_text;
    QComboBox* m_metric;
    QCheckBox* m_limited;
    QDoubleSpinBox* m_limit;
    QLabel* m_state;
    QProgressBar* m_progress;
    QToolButton* m_stop;
    StatePage* m_page = nullptr;
    bool m_following = false;  ///< what changes in the table's selection now is not the user's doing
};

}  // namespace calibench
