#include "ui/report/report_pdf.h"

#include <QBuffer>
#include <QCoreApplication>
#include <QPageSize>
#include <QPainter>
#include <QPdfWriter>
#include <QSvgRenderer>
#include <QTextCursor>
#include <QTextDocument>
#include <QTextObjectInterface>
#include <QTextTable>

#include <algorithm>
#include <utility>
#include <vector>

namespace calibench {

namespace {

constexpr int PictureObject = QTextFormat::UserObject + 1;
constexpr int SvgProperty = QTextFormat::UserProperty + 1, HeadingProperty = SvgProperty + 1, LevelProperty = SvgProperty + 2;
constexpr double MarginInches = 2 / 2.54;  // what QTextDocument::print() leaves free

const QColor Muted(0x56, 0x60, 0x6a), Line(0xd9, 0xde, 0xe3), Field(0xf4, 0xf6, 0xf8), Removed(0xfb, 0xe4, 0xdd), Added(0xdc, 0xf1, 0xe8), Alarm(0x9a, 0x34, 0x12);

QFont headingFont(QFont font, int level) {
    font.setPointSizeF(level == 1 ? 13.5 : 11);
    font.setWeight(QFont::DemiBold);
    return font;
}

/// Puts a picture into text as the drawing that it is, as wide as the page has room. A heading above it is part of it, so that no page
/// break comes between.
class PictureInText : public QObject, public QTextObjectInterface {
    Q_OBJECT
    Q_INTERFACES(QTextObjectInterface)

public:
    QSizeF intrinsicSize(QTextDocument* document, int, const QTextFormat& format) override {
        const double dots = dotsOf(document), head = headHeight(document, format);
        const QSizeF room = document->pageSize() - QSizeF(2, 2.6) * MarginInches * dots - QSizeF(0, head);  // a line of text has room below
        QSizeF size = QSizeF(QSvgRenderer(format.property(SvgProperty).toByteArray()).defaultSize()) * dots / 96;
        if (size.width() > room.width() || size.height() > room.height()) size.scale(room, Qt::KeepAspectRatio);
        return size + QSizeF(0, head);
    }
    void drawObject(QPainter* painter, const QRectF& rect, QTextDocument* document, int, const QTextFormat& format) override {
        const double head = headHeight(document, format);
        if (head > 0) {
            painter->save();
            painter->setFont(headingFont(document->defaultFont(), format.property(LevelProperty).toInt()));
            painter->setPen(Qt::black);
            painter->drawText(QRectF(rect.topLeft(), QSizeF(rect.width(), head)), Qt::AlignLeft | Qt::AlignTop, format.property(HeadingProperty).toString());
            painter->restore();
        }
        QSvgRenderer(format.property(SvgProperty).toByteArray()).render(painter, rect.adjusted(0, head, 0, 0));
    }

private:
    static double dotsOf(const QTextDocument* document) {
        const QPaintDevice* device = document->documentLayout()->paintDevice();
        return device ? device->logicalDpiY() : 96;
    }
    static double headHeight(const QTextDocument* document, const QTextFormat& format) {
        if (!format.hasProperty(HeadingProperty)) return 0;
        return 2 * headingFont(document->defaultFont(), format.property(LevelProperty).toInt()).pointSizeF() / 72 * dotsOf(document);
    }
};

QString text(const std::string& utf8) { return QString::fromStdString(utf8); }

/// Writes a report into a document.
class Printed {
public:
    explicit Printed(QTextDocument& document) : m_cursor(&document), m_font(QStringLiteral("sans-serif")) {
        m_font.setStyleHint(QFont::SansSerif);
        m_font.setPointSizeF(9);
        document.setDefaultFont(m_font);
    }

    void write(const Report& report) {
        QTextCharFormat title;
        title.setFontPointSize(18);
        title.setFontWeight(QFont::DemiBold);
        paragraph(text(report.title), title, {.below = 2});
        paragraph(text(report.subtitle), coloured(Muted), {.below = 8});
        // Where sections have parts, as in a comparison, each begins a page.
        const bool hasParts = std::any_of(report.sections.begin(), report.sections.end(), [](const ReportSection& section) { return section.level > 1; });
        for (const ReportSection& section : report.sections) {
            m_newPage = hasParts && section.level == 1 && &section != &report.sections.front();
            const bool pictureFirst = !section.blocks.empty() && std::holds_alternative<Picture>(section.blocks.front());
            if (pictureFirst)
                picture(std::get<Picture>(section.blocks.front()), &section);
            else
                heading(section);
            for (size_t i = pictureFirst ? 1 : 0; i < section.blocks.size(); ++i) std::visit([this](const auto& each) { write(each); }, section.blocks[i]);
        }
    }

private:
    struct Space {
        double above = 0, below = 5;
        QColor ground = {};
    };

    static QTextCharFormat coloured(const QColor& colour) {
        QTextCharFormat format;
        format.setForeground(colour);
        return format;
    }
    static QTextCharFormat fixedPitch() {
        QTextCharFormat format;
        format.setFontFamilies({QStringLiteral("DejaVu Sans Mono"), QStringLiteral("monospace")});
        format.setFontPointSize(8);
        return format;
    }

    void paragraph(const QString& words, const QTextCharFormat& format, const Space& space) {
        QTextBlockFormat block;
        block.setTopMargin(space.above);
        block.setBottomMargin(space.below);
        if (space.ground.isValid()) block.setBackground(space.ground);
        if (std::exchange(m_newPage, false)) block.setPageBreakPolicy(QTextFormat::PageBreak_AlwaysBefore);
        if (m_begun)
            m_cursor.insertBlock(block, format);
        else
            m_cursor.setBlockFormat(block);
        m_begun = true;
        m_cursor.insertText(words, format);
    }

    void heading(const ReportSection& section) {
        QTextCharFormat format;
        format.setFont(headingFont(m_font, section.level));
        paragraph(text(section.title), format, {.above = aboveHeading(section.level), .below = 4});
    }
    static double aboveHeading(int level) { return level == 1 ? 16 : 10; }

    void write(const Paragraph& words) { paragraph(text(words.text), words.is_warning ? coloured(Alarm) : QTextCharFormat(), {}); }

    void write(const KeyFigures& figures) {
        Table table{.columns = {{""}, {""}}, .rows = {}};
        for (const auto& [name, value] : figures.rows) table.rows.push_back({name, value});
        insertTable(table, false);
    }

    void write(const Table& table) { insertTable(table, true); }
    void write(const FoldedTable&) {}

    /// As wide as their longest cells; where the page is too narrow for all, numbers and short texts stay whole and long ones are broken.
    static void setWidths(QTextTableFormat& format, const Table& table) {
        constexpr double LettersOfAPage = 90, Air = 3, Short = 16;
        std::vector<double> letters;
        double whole = 0, broken = 0;
        const auto stays = [&](size_t column) { return table.columns[column].is_number || letters[column] <= Short; };
        for (size_t column = 0; column < table.columns.size(); ++column) {
            double longest = 0;
            for (const QString& word : text(table.columns[column].name).split(QLatin1Char(' '))) longest = std::max(longest, 1.15 * static_cast<double>(word.size()));  // bold
            for (const auto& row : table.rows)
                if (column < row.size()) longest = std::max(longest, static_cast<double>(row[column].size()));
            letters.push_back(longest + Air);
            (stays(column) ? whole : broken) += letters.back();
        }
        const double shrunk = broken > 0 ? std::clamp((LettersOfAPage - whole) / broken, 0.2, 1.0) : 1;
        const double all = whole + shrunk * broken;
        QList<QTextLength> widths;
        for (size_t column = 0; column < letters.size(); ++column)
            widths << QTextLength(QTextLength::PercentageLength, 100 * letters[column] * (stays(column) ? 1 : shrunk) / all);
        format.setWidth(QTextLength(QTextLength::PercentageLength, std::min(100.0, 100 * all / LettersOfAPage)));
        format.setColumnWidthConstraints(widths);
    }

    void insertTable(const Table& table, bool withHead) {
        const int first = withHead ? 1 : 0;
        const auto columns = static_cast<int>(table.columns.size());
        if (table.rows.empty()) return;
        QTextTableFormat format;
        format.setBorder(withHead ? 0.5 : 0);
        format.setBorderBrush(Line);
        format.setBorderCollapse(withHead);
        format.setCellPadding(withHead ? 2.5 : 1);
        format.setCellSpacing(0);
        format.setHeaderRowCount(first);
        format.setBottomMargin(8);
        setWidths(format, table);
        QTextTable* inserted = m_cursor.insertTable(static_cast<int>(table.rows.size()) + first, columns, format);
        const auto fill = [&](int row, int column, const std::string& words, const QTextCharFormat& how) {
            QTextCursor cell = inserted->cellAt(row, column).firstCursorPosition();
            QTextBlockFormat block;
            block.setAlignment(table.columns[static_cast<size_t>(column)].is_number ? Qt::AlignRight : Qt::AlignLeft);
            cell.setBlockFormat(block);
            cell.insertText(text(words), how);
        };
        QTextCharFormat bold;
        bold.setFontWeight(QFont::DemiBold);
        for (int column = 0; column < columns && withHead; ++column) fill(0, column, table.columns[static_cast<size_t>(column)].name, bold);
        for (int row = 0; row < static_cast<int>(table.rows.size()); ++row) {
            const auto& values = table.rows[static_cast<size_t>(row)];
            for (int column = 0; column < std::min(columns, static_cast<int>(values.size())); ++column)
                fill(row + first, column, values[static_cast<size_t>(column)], !withHead && column == 0 ? coloured(Muted) : QTextCharFormat());
        }
        m_cursor.movePosition(QTextCursor::End);
    }

    void write(const Picture& shown) { picture(shown, nullptr); }

    /// `headed`: the section whose heading stands above it.
    void picture(const Picture& picture, const ReportSection* headed) {
        paragraph({}, {}, {.above = headed ? aboveHeading(headed->level) : 4, .below = 2});
        QTextCharFormat format;
        format.setObjectType(PictureObject);
        format.setProperty(SvgProperty, QByteArray::fromStdString(picture.svg));
        if (headed) {
            format.setProperty(HeadingProperty, text(headed->title));
            format.setProperty(LevelProperty, headed->level);
        }
        m_cursor.insertText(QString(QChar::ObjectReplacementCharacter), format);
        paragraph(text(picture.caption), coloured(Muted), {.below = 8});
    }

    void write(const Listing& listing) { lines(text(listing.text), Field); }

    void write(const Changes& changes) {
        for (const DiffLine& line : changes.lines) switch (line.kind) {
                case DiffLine::Kind::Removed: lines(QStringLiteral("- ") + text(line.text), Removed); break;
                case DiffLine::Kind::Added: lines(QStringLiteral("+ ") + text(line.text), Added); break;
                case DiffLine::Kind::Same: lines(QStringLiteral("  ") + text(line.text), Field); break;
                case DiffLine::Kind::Gap: lines(text(line.text), Field); break;
            }
    }

    void lines(const QString& words, const QColor& ground) {
        for (const QString& line : words.split(QLatin1Char('\n'))) paragraph(line, fixedPitch(), {.below = 0, .ground = ground});
    }

    QTextCursor m_cursor;
    QFont m_font;
    bool m_newPage = false;  ///< the next paragraph begins one
    bool m_begun = false;    ///< the document's first block, which is there from the beginning, is taken
};

}  // namespace

QByteArray pdfOf(const Report& report) {
    QTextDocument document;
    PictureInText pictures;
    document.documentLayout()->registerHandler(PictureObject, &pictures);
    Printed(document).write(report);

    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    writer.setResolution(300);
    writer.setPageSize(QPageSize(QPageSize::A4));
    writer.setPageMargins({});  // the document has its own
    writer.setTitle(text(report.title));
    writer.setCreator(QStringLiteral("Calibench"));
    document.print(&writer);
    return bytes;
}

}  // namespace calibench

#include "report_pdf.moc"
