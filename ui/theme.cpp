#include "ui/theme.h"

#include <QApplication>
#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPixmapCache>
#include <QStyleFactory>
#include <QSvgRenderer>

static void initialiseResources() { Q_INIT_RESOURCE(calibench); }  // the macro declares a function: not inside a namespace

namespace calibench {

namespace {

/// Renders an SVG whose only colour is `currentColor`.
class SymbolicIconEngine : public QIconEngine {
public:
    explicit SymbolicIconEngine(const QString& name) : m_name(name) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override {
        painter->drawPixmap(rect, scaledPixmap(rect.size(), mode, state, painter->device()->devicePixelRatio()));
    }

    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
        return scaledPixmap(size, mode, state, 1.0);
    }

    QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State, qreal scale) override {
        const QPalette::ColorGroup group = mode == QIcon::Disabled ? QPalette::Disabled : QPalette::Active;
        const QPalette::ColorRole role = mode == QIcon::Selected ? QPalette::HighlightedText : QPalette::WindowText;
        const QColor colour = QApplication::palette().color(group, role);
        const QSize pixels = size * scale;
        if (pixels.isEmpty()) return {};
        const QString key = QStringLiteral("calibench/%1/%2x%3/%4").arg(m_name).arg(pixels.width()).arg(pixels.height()).arg(colour.name(QColor::HexArgb));
        QPixmap pixmap;
        if (!QPixmapCache::find(key, &pixmap)) {
            pixmap = render(pixels, colour);
            pixmap.setDevicePixelRatio(scale);
            QPixmapCache::insert(key, pixmap);
        }
        return pixmap;
    }

    QIconEngine* clone() const override { return new SymbolicIconEngine(m_name); }

private:
    QPixmap render(const QSize& pixels, const QColor& colour) const {
        QFile file(QStringLiteral(":/calibench/icons/%1.svg").arg(m_name));
        QByteArray svg = file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
        svg.replace("currentColor", colour.name().toLatin1());
        QSvgRenderer renderer(svg);
        renderer.setAspectRatioMode(Qt::KeepAspectRatio);
        QPixmap pixmap(pixels);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        painter.setOpacity(colour.alphaF());
        renderer.render(&painter);
        return pixmap;
    }

    const QString m_name;
};

struct Colours {
    QRgb window, base, alternate, button, text, muted, disabled, border, accent, onAccent;
};

QPalette makePalette(const Colours& c) {
    QPalette palette;
    palette.setColor(QPalette::Window, c.window);
    palette.setColor(QPalette::Base, c.base);
    palette.setColor(QPalette::AlternateBase, c.alternate);
    palette.setColor(QPalette::Button, c.button);
    palette.setColor(QPalette::ToolTipBase, c.base);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText, QPalette::ToolTipText})
        palette.setColor(role, c.text);
    palette.setColor(QPalette::PlaceholderText, c.muted);
    palette.setColor(QPalette::Link, c.accent);
    palette.setColor(QPalette::Highlight, c.accent);
    palette.setColor(QPalette::HighlightedText, c.onAccent);
    const QColor border = c.border;
    palette.setColor(QPalette::Mid, border);
    palette.setColor(QPalette::Midlight, QColor(c.window).lighter(104));
    palette.setColor(QPalette::Light, QColor(c.window).lighter(108));
    palette.setColor(QPalette::Dark, border.darker(125));
    palette.setColor(QPalette::Shadow, border.darker(160));
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, c.disabled);
    palette.setColor(QPalette::Disabled, QPalette::Highlight, border);
    return palette;
}

}  // namespace

void installStyle() {
    initialiseResources();
    QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
}

QPalette lightPalette() {
    return makePalette({.window = 0xfff3f4f5, .base = 0xffffffff, .alternate = 0xfff7f8f9, .button = 0xfff3f4f5, .text = 0xff1d2125,
                        .muted = 0xff6b7480, .disabled = 0xff9aa2ab, .border = 0xffc4c9cf, .accent = 0xff0067a8, .onAccent = 0xffffffff});
}

QPalette darkPalette() {
    return makePalette({.window = 0xff24272b, .base = 0xff1b1d20, .alternate = 0xff202327, .button = 0xff2d3136, .text = 0xffe4e6e8,
                        .muted = 0xff949ca5, .disabled = 0xff6c737b, .border = 0xff43484f, .accent = 0xff56b4e9, .onAccent = 0xff10181f});
}

void applyTheme(Theme theme) {
    // An empty palette is the system's, and goes on following it when the desktop turns dark at night.
    QApplication::setPalette(theme == Theme::Light ? lightPalette() : theme == Theme::Dark ? darkPalette() : QPalette());
}

bool isDark(const QPalette& palette) { return palette.color(QPalette::Base).lightnessF() < 0.5; }

QColor errorColour(const QPalette& palette) { return isDark(palette) ? QColor(0xff8a70) : QColor(0xb3261e); }
QColor warningColour(const QPalette& palette) { return isDark(palette) ? QColor(0xf0b84b) : QColor(0x9a5b00); }
QColor successColour(const QPalette& palette) { return isDark(palette) ? QColor(0x4cc9a0) : QColor(0x00735a); }
QColor mutedText(const QPalette& palette) { return palette.color(QPalette::Active, QPalette::PlaceholderText); }

QIcon symbolicIcon(const QString& name) { return QIcon(new SymbolicIconEngine(name)); }

}  // namespace calibench
