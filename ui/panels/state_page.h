#pragma once

#include <QStackedWidget>

#include <functional>

class QLabel;
class QProgressBar;
class QPushButton;

namespace calibench {

/// A page that is empty (one sentence, one button that fills it), loading (what, and a busy bar) or has content.
class StatePage : public QStackedWidget {
    Q_OBJECT

public:
    /// Takes `content`.
    explicit StatePage(QWidget* content, QWidget* parent = nullptr);

    void showEmpty(const QString& sentence, const QString& buttonText = {}, std::function<void()> action = {});
    void showLoading(const QString& what);
    void showContent();
    [[nodiscard]] bool showsContent() const;
    [[nodiscard]] QString sentence() const;  ///< of the empty or loading page

private:
    QWidget* makeNotice();

    QWidget* m_content;
    QLabel* m_sentence;
    QPushButton* m_button;
    QProgressBar* m_busy;
    QWidget* m_notice;
    std::function<void()> m_action;
};

}  // namespace calibench
