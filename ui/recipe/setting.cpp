#include "ui/recipe/setting.h"

#include <QCheckBox>
#include <QComboBox>
#include <QCoreApplication>
#include <QDoubleValidator>
#include <QIntValidator>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QToolButton>

#include <algorithm>
#include <limits>
#include <utility>

#include "ui/theme.h"

namespace calibench {

namespace {

constexpr int EditorChars = 6;

QString tr(const char* text) { return QCoreApplication::translate("Setting", text); }

QString textOf(const Json& value) {
    if (value.is_boolean()) return value.get<bool>() ? tr("yes") : tr("no");
    return QString::fromStdString(value.is_string() ? value.get<std::string>() : value.dump());
}

class FormHabits : public QObject {
public:
    explicit FormHabits(QWidget* editor) : QObject(editor) {
        editor->setFocusPolicy(Qt::StrongFocus);
        editor->installEventFilter(this);
        for (QLineEdit* edit : editor->findChildren<QLineEdit*>()) edit->installEventFilter(this);
    }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override {
        if (event->type() == QEvent::Wheel && !static_cast<QWidget*>(watched)->hasFocus()) {
            event->ignore();  // on to the scroll area
            return true;
        }
        if (event->type() == QEvent::ShortcutOverride) {
            const auto* key = static_cast<QKeyEvent*>(event);
            if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
                event->ignore();
                return true;
            }
        }
        return QObject::eventFilter(watched, event);
    }
};

QComboBox* makeComboBox() {
    auto* box = new QComboBox;
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(EditorChars);
    return box;
}

}  // namespace

void useFormHabits(QWidget* editor) { new FormHabits(editor); }

Setting::Setting(const Words& words, const Json& fallback, QWidget* editor)
    : m_label(new QLabel(words.label)), m_editor(editor), m_reset(new QToolButton), m_default(fallback) {
    m_label->setToolTip(words.help);
    m_label->setBuddy(m_editor);
    QString help = words.help;
    if (!fallback.is_null()) help += QLatin1Char('\n') + tr("Default: %1").arg(textOf(fallback));
    m_editor->setToolTip(help);
    m_editor->setAccessibleName(words.label);
    m_editor->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    useFormHabits(m_editor);
    m_reset->setIcon(symbolicIcon(QStringLiteral("reset")));
    m_reset->setIconSize({12, 12});
    m_reset->setAutoRaise(true);
    m_reset->setFixedSize(20, 20);
    m_reset->setToolTip(tr("Take this out of the recipe, so that the default holds"));
    m_reset->setAccessibleName(tr("%1: use the default").arg(words.label));
    keepResetsPlace(true);
    m_reset->hide();
    QObject::connect(m_reset, &QToolButton::clicked, m_editor, [this] {
        m_editor->setFocus();  // the button is about to vanish
        report({});
    });
}

QWidget* Setting::label() const { return m_label; }
QWidget* Setting::reset() const { return m_reset; }

void Setting::show(const Json* value) {
    m_isSet = value && !value->is_null();
    m_reset->setVisible(m_visible && m_isSet && !m_required);
    showValue(m_isSet ? *value : m_default);
    restyle();
}

void Setting::keepResetsPlace(bool keep) {
    QSizePolicy policy = m_reset->sizePolicy();
    policy.setRetainSizeWhenHidden(keep);
    m_reset->setSizePolicy(policy);
}

void Setting::setVisible(bool visible) {
    keepResetsPlace(visible);
    m_visible = visible;
    m_label->setVisible(visible);
    m_editor->setVisible(visible);
    m_reset->setVisible(visible && m_isSet && !m_required);
}

void Setting::restyle() {
    QPalette colours;  // nothing set: the window's
    if (!m_isSet)
        for (const auto group : {QPalette::Active, QPalette::Inactive})
            for (const auto role : {QPalette::Text, QPalette::ButtonText, QPalette::WindowText})
                colours.setColor(group, role, mutedText(m_label->palette()));
    m_editor->setPalette(colours);
}

void Setting::report(std::optional<Json> value, bool typed) {
    if (changed) changed(std::move(value), typed);
}

IntegerSetting::IntegerSetting(const Words& words, int fallback, int low, int high) : Setting(words, fallback, new QSpinBox) {
    m_box = static_cast<QSpinBox*>(editor());
    m_box->setRange(low, high);
    QObject::connect(m_box, &QSpinBox::valueChanged, m_box, [this](int value) { report(value, true); });
}

void IntegerSetting::showValue(const Json& value) {
    const int number = value.is_number_integer() ? value.get<int>() : value.is_string() ? textOf(value).toInt() : m_box->minimum();
    if (m_box->value() == number) return;
    const QSignalBlocker blocker(m_box);
    m_box->setValue(number);
}

RealSetting::RealSetting(const Words& words) : Setting(words, Json(), new QLineEdit) {
    m_edit = static_cast<QLineEdit*>(editor());
    auto* validator = new QDoubleValidator(0, std::numeric_limits<double>::max(), 12, m_edit);
    validator->setLocale(QLocale::c());
    m_edit->setValidator(validator);
    QObject::connect(m_edit, &QLineEdit::textEdited, m_edit, [this](const QString& text) {
        bool ok = false;
        const double number = QLocale::c().toDouble(text, &ok);
        if (text.isEmpty())
            report({}, true);
        else if (ok && number > 0)
            report(number, true);
    });
}

void RealSetting::setPlaceholder(const QString& text) { m_edit->setPlaceholderText(text); }

void RealSetting::showValue(const Json& value) {
    if (m_edit->hasFocus() && value.is_number() && QLocale::c().toDouble(m_edit->text()) == value.get<double>()) return;  // "1e-3" stays
    const QString text = value.is_null() ? QString() : textOf(value);
    const bool halfTyped = m_edit->hasFocus() && value.is_null() && QLocale::c().toDouble(m_edit->text()) == 0;  // "0.00"
    if (m_edit->text() != text && !halfTyped) m_edit->setText(text);
}

ToggleSetting::ToggleSetting(const Words& words, bool fallback) : Setting(words, fallback, new QCheckBox) {
    m_box = static_cast<QCheckBox*>(editor());
    QObject::connect(m_box, &QCheckBox::toggled, m_box, [this](bool on) { report(on); });
}

void ToggleSetting::showValue(const Json& value) {
    const QSignalBlocker blocker(m_box);
    m_box->setChecked(value.is_boolean() && value.get<bool>());
    m_box->setText(m_box->isChecked() ? tr("yes") : tr("no"));
}

ChoiceSetting::ChoiceSetting(const Words& words, const Json& fallback, std::vector<Choice> choices) : Setting(words, fallback, makeComboBox()) {
    m_box = static_cast<QComboBox*>(editor());
    setChoices(std::move(choices));
    QObject::connect(m_box, &QComboBox::activated, m_box, [this](int index) {
        if (index >= static_cast<int>(m_choices.size())) return;  // what it was
        const Json& value = m_choices[static_cast<size_t>(index)].value;
        report(value.is_null() ? std::nullopt : std::optional(value));
    });
}

void ChoiceSetting::setChoices(std::vector<Choice> choices) {
    const auto same = [](const Choice& a, const Choice& b) { return a.value == b.value && a.text == b.text; };
    if (std::equal(choices.begin(), choices.end(), m_choices.begin(), m_choices.end(), same) && m_box->count() > 0) return;
    m_choices = std::move(choices);
    const QSignalBlocker blocker(m_box);
    m_box->clear();
    for (const Choice& choice : m_choices) {
        m_box->addItem(choice.text);
        m_box->setItemData(m_box->count() - 1, choice.help, Qt::ToolTipRole);
    }
}

void ChoiceSetting::showValue(const Json& value) {
    const auto found = std::find_if(m_choices.begin(), m_choices.end(), [&](const Choice& choice) { return choice.value == value; });
    int index = static_cast<int>(found - m_choices.begin());
    const auto known = static_cast<int>(m_choices.size());
    const QSignalBlocker blocker(m_box);
    if (m_box->count() > known && (index < known || m_box->itemText(known) != textOf(value))) m_box->removeItem(known);
    if (index == known && m_box->count() == known) m_box->addItem(textOf(value));  // the text may say what is not offered
    if (m_box->currentIndex() != index) m_box->setCurrentIndex(index);
}

SizeSetting::SizeSetting(const Words& words) : Setting(words, Json(), makeComboBox()) {
    m_box = static_cast<QComboBox*>(editor());
    m_box->setEditable(true);
    m_box->setInsertPolicy(QComboBox::NoInsert);
    m_box->setCompleter(nullptr);
    m_box->lineEdit()->setValidator(new QIntValidator(1, 1 << 20, m_box));
    useFormHabits(m_box);  // once more: the line edit is new
    const auto take = [this](bool typed) {
        if (m_box->lineEdit()->hasAcceptableInput()) report(m_box->currentText().toInt(), typed);
    };
    QObject::connect(m_box->lineEdit(), &QLineEdit::textEdited, m_box, [take] { take(true); });
    QObject::connect(m_box, &QComboBox::activated, m_box, [take] { take(false); });
}

void SizeSetting::setOffered(const std::vector<int64_t>& sizes) {
    QStringList texts;
    for (const int64_t size : sizes) texts << QString::number(size);
    QStringList shown;
    for (int i = 0; i < m_box->count(); ++i) shown << m_box->itemText(i);
    if (texts == shown) return;
    const QString text = m_box->currentText();
    const QSignalBlocker blocker(m_box);
    m_box->clear();
    m_box->addItems(texts);
    m_box->setEditText(text);
}

void SizeSetting::showValue(const Json& value) {
    const QString text = value.is_null() ? QString() : textOf(value);
    if (m_box->currentText() == text) return;
    const QSignalBlocker blocker(m_box);
    m_box->setEditText(text);
}

}  // namespace calibench
