#pragma once

#include <QTreeWidget>

namespace calibench {

class Settings;

/// The projects and models opened lately. What is no longer there is greyed; the cross behind a line, or Del, forgets it.
class RecentList : public QTreeWidget {
    Q_OBJECT

public:
    explicit RecentList(Settings& settings, QWidget* parent = nullptr);

    [[nodiscard]] QSize sizeHint() const override;

Q_SIGNALS:
    void projectChosen(const QString& file);
    void modelChosen(const QString& folder);

protected:
    void keyPressEvent(QKeyEvent* event) override;

private:
    void fill();
    void open(const QTreeWidgetItem* item);
    void forget(const QTreeWidgetItem* item);

    Settings& m_settings;
};

}  // namespace calibench
