#pragma once

#include <QFrame>

#include <functional>

class QLabel;
class QToolButton;

namespace calibench {

/// One message in place instead of a dialog: what happened, at most one thing to do about it, and a cross to dismiss it.
class MessageBar : public QFrame {
    Q_OBJECT

public:
    enum class Kind { Info, Success, Warning, Error };

    explicit MessageBar(QWidget* parent = nullptr);

    void post(Kind kind, const QString& text, const QString& actionText = {}, std::function<void()> action = {});
    void dismiss();
    [[nodiscard]] QString text() const;
    [[nodiscard]] Kind kind() const { return m_kind; }

protected:
    void changeEvent(QEvent* event) override;

private:
    void restyle();

    QLabel* m_icon;
    QLabel* m_text;
    QToolButton* m_action;
    Kind m_kind = Kind::Info;
    std::function<void()> m_run;
};

}  // namespace calibench
