#pragma once

#include <QWidget>

class QVBoxLayout;

namespace calibench {

class Settings;

/// What the window shows before a model is open.
class StartPage : public QWidget {
    Q_OBJECT

public:
    StartPage(Settings& settings, bool hasDemo, QWidget* parent = nullptr);

Q_SIGNALS:
    void openRequested();
    void demoRequested();
    void modelRequested(const QString& folder);

private:
    void fillRecent();

    Settings& m_settings;
    QVBoxLayout* m_recent;
};

}  // namespace calibench
