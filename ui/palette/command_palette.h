#pragma once

#include <QFrame>

#include <vector>

class QLabel;
class QLineEdit;
class QListView;

namespace calibench {

class PaletteModel;
struct PaletteEntry;

/// A few letters find a command: a line to type in and the list of what fits. Arrows choose, Enter runs, Esc closes.
class CommandPalette : public QFrame {
    Q_OBJECT

public:
    /// Opens over the upper middle of `window` and belongs to it.
    explicit CommandPalette(QWidget* window);

    void popUp(std::vector<PaletteEntry> entries);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void filter(const QString& pattern);
    void run(const QModelIndex& index);

    PaletteModel* m_model;
    QLineEdit* m_edit;
    QListView* m_list;
    QLabel* m_nothing;
};

}  // namespace calibench
