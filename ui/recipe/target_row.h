#pragma once

#include <QWidget>

class QLabel;
class QLineEdit;
class QToolButton;

namespace calibench {

class TargetMatcher;

/// One target: its text, how many modules it matches, and a button that removes it.
class TargetRow : public QWidget {
    Q_OBJECT

public:
    TargetRow(TargetMatcher& matcher, QWidget* parent);

    [[nodiscard]] QString text() const;
    void setText(const QString& text);
    void setMuted(bool muted);  ///< not in the text: a default
    /// Empty: it can be removed.
    void setRemovalObstacle(const QString& obstacle);
    /// Text that the recipe cannot hold: empty, or no pattern.
    [[nodiscard]] bool isUnfinished() const { return m_unfinished; }
    [[nodiscard]] bool isPointedAt() const { return m_hovered || isBeingEdited(); }
    [[nodiscard]] bool isHovered() const { return m_hovered; }
    [[nodiscard]] bool isBeingEdited() const;
    void edit();  ///< puts the cursor into it

Q_SIGNALS:
    void edited();
    void removeRequested();
    void pointedAtChanged();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    bool event(QEvent* event) override;

private:
    void showCount();

    TargetMatcher& m_matcher;
    QLineEdit* m_edit;
    QLabel* m_count;
    QToolButton* m_remove;
    bool m_unfinished = false;
    bool m_muted = false;
    bool m_hovered = false;
};

}  // namespace calibench
