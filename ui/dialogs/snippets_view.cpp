#include "ui/dialogs/snippets_view.h"

#include <QApplication>
#include <QClipboard>
#include <QFontDatabase>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTimer>
#include <QVBoxLayout>

#include <chrono>

#include "ui/theme.h"

namespace calibench {

using namespace std::chrono_literals;

void SnippetsView::showSnippets(const QList<ServingSnippet>& snippets) {
    const int current = currentIndex();
    while (count() > 0) delete widget(0);
    for (const ServingSnippet& snippet : snippets) addTab(makePage(snippet), snippet.title);
    setCurrentIndex(std::max(0, current));
}

QWidget* SnippetsView::makePage(const ServingSnippet& snippet) {
    auto* code = new QPlainTextEdit(snippet.code.trimmed());
    code->setReadOnly(true);
    code->setLineWrapMode(QPlainTextEdit::NoWrap);
    code->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    code->setAccessibleName(snippet.title);
    const int lines = static_cast<int>(std::max<qsizetype>(3, snippet.code.count(QLatin1Char('\n')) + 1));
    code->setMinimumHeight(lines * QFontMetrics(code->font()).lineSpacing() + 16);
    auto* note = new QLabel(snippet.note);
    note->setWordWrap(true);
    note->setVisible(!snippet.note.isEmpty());
    auto* copy = new QPushButton(symbolicIcon(QStringLiteral("copy")), tr("Copy"));
    copy->setAccessibleName(tr("Copy %1").arg(snippet.title));
    connect(copy, &QPushButton::clicked, copy, [copy, text = snippet.code] {
        QApplication::clipboard()->setText(text);
        copy->setText(tr("Copied"));
        QTimer::singleShot(1500ms, copy, [copy] { copy->setText(tr("Copy")); });
    });
    auto* page = new QWidget;
    auto* layout = new QVBoxLayout(page);
    layout->addWidget(code, 1);
    layout->addWidget(note);
    layout->addWidget(copy, 0, Qt::AlignRight);
    return page;
}

}  // namespace calibench
