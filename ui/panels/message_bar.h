#pragma once

#include <QFrame>

#include <functional>
#include <utility>
#include <vector>

class QHBoxLayout;
class QLabel;

namespace calibench {

/// One message in place instead of a dialog: what happened, what to do about it, and a cross to dismiss it.
class MessageBar : public QFrame {
    Q_OBJECT

public:
    enum class Kind { Info, Success, Warning, Error };

    explicit MessageBar(QWidget* parent = nullptr);

    struct Choice {
        QString text;
        std::function<void()> run;
    };

    void post(Kind kind, const QString& text, const std::vector<Choice>& choices = {});
    void post(Kind kind, const QString& text, const QString& actionText, std::function<void()> action) { post(kind, text, {{actionText, std::move(action)}}); }
    void dismiss();
    [[nodiscard]] QString text() const;
    [[nodiscard]] Kind kind() const { return m_kind; }

protected:
    void changeEvent(QEvent* event) override;

private:
    void restyle();

    QLabel* m_icon;
    QLabel* m_text;
    QHBoxLayout* m_choices;
    Kind m_kind = Kind::Info;
};

}  // namespace calibench
