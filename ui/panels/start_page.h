#pragma once

#include <QScrollArea>

class QVBoxLayout;

namespace calibench {

class Settings;

/// What the window shows before a model is open: where to begin, what was open lately, and what can be tried at once.
class StartPage : public QScrollArea {
    Q_OBJECT

public:
    /// `resources` holds the demos and the sample recipes.
    StartPage(Settings& settings, const QString& resources, QWidget* parent = nullptr);

Q_SIGNALS:
    void openModelRequested();
    void openProjectRequested();
    void modelChosen(const QString& folder);
    void projectChosen(const QString& file);
    void demoChosen(const QString& folder);
    void sampleChosen(const QString& recipeFile);

private:
    void addBeginning(QVBoxLayout* layout);
    void addRecent(QVBoxLayout* layout, Settings& settings);
    void addSamples(QVBoxLayout* layout, const QString& resources);
};

}  // namespace calibench
