#include "ui/recipe/group_form.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/command.h"
#include "ui/form_section.h"
#include "ui/recipe/target_list_edit.h"
#include "ui/theme.h"

namespace calibench {

GroupForm::GroupForm(TargetMatcher& matcher, const std::vector<std::string>& observers, QWidget* parent)
    : QWidget(parent), m_name(makeHeading({})), m_summary(new QLabel), m_remove(new QToolButton),
      m_targets(new TargetListEdit(matcher, tr("Targets"), TargetListEdit::Emptiness::Refused)),
      m_weights(new ArgsForm(ArgsForm::Kind::Weights, observers)), m_inputs(new ArgsForm(ArgsForm::Kind::Inputs, observers)),
      m_outputs(new ArgsForm(ArgsForm::Kind::Outputs, observers)) {
    m_summary->setForegroundRole(QPalette::PlaceholderText);
    m_summary->setWordWrap(true);
    m_remove->setIcon(symbolicIcon(QStringLiteral("close")));
    m_remove->setIconSize({12, 12});
    m_remove->setFixedSize(20, 20);
    m_remove->setAutoRaise(true);
    setHelp(m_remove, tr("Remove this group; its modules go to other groups or stay as they are"));
    connect(m_remove, &QToolButton::clicked, this, [this] { Q_EMIT changed({{m_path, std::nullopt}}); });
    auto* head = new QHBoxLayout;
    head->setSpacing(8);
    head->addWidget(m_name, 1);
    head->addWidget(m_remove);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(makeRule());
    layout->addLayout(head);
    layout->addWidget(m_summary);
    layout->addWidget(m_targets);
    connect(m_targets, &TargetListEdit::changed, this, &GroupForm::changed);
    connect(m_targets, &TargetListEdit::pointedAt, this, &GroupForm::pointedAt);
    for (ArgsForm* args : {m_weights, m_inputs, m_outputs}) {
        layout->addWidget(args);
        connect(args, &ArgsForm::changed, this, &GroupForm::changed);
    }
}

void GroupForm::show(const RecipePath& path, const Json& value, const QuantizationScheme& scheme) {
    m_path = path;
    const QString name = QString::fromStdString(path.back());
    m_name->setText(name);
    m_remove->setAccessibleName(tr("Remove the group %1").arg(name));
    const auto resolved = [](const std::optional<QuantizationArgs>& args) { return args ? &*args : nullptr; };
    m_targets->show(below(path, {"targets"}), valueAt(value, {"targets"}));
    m_weights->show(below(path, {"weights"}), valueAt(value, {"weights"}), resolved(scheme.weights));
    m_inputs->show(below(path, {"input_activations"}), valueAt(value, {"input_activations"}), resolved(scheme.input_activations));
    m_outputs->show(below(path, {"output_activations"}), valueAt(value, {"output_activations"}), resolved(scheme.output_activations));
    m_otherKeys.clear();
    for (const auto& [key, child] : value.items())
        if (key != "targets" && key != "weights" && key != "input_activations" && key != "output_activations") m_otherKeys << QString::fromStdString(key);
    for (const ArgsForm* args : {m_weights, m_inputs, m_outputs}) m_otherKeys << args->otherKeys();
}

void GroupForm::setSummary(const QString& summary, const QString& help) {
    m_summary->setText(summary);
    m_summary->setToolTip(help);
}

void GroupForm::setFittingSizes(const std::vector<int64_t>& ofColumns, const std::vector<int64_t>& ofRows) {
    m_weights->setFittingSizes(ofColumns);
    m_inputs->setFittingSizes(ofColumns);
    m_outputs->setFittingSizes(ofRows);
}

void GroupForm::setRemovalObstacle(const QString& obstacle) {
    allow(m_remove, obstacle);
}

void GroupForm::editFirstTarget() { m_targets->editFirst(); }

QStringList GroupForm::otherKeys() const { return m_otherKeys; }

}  // namespace calibench
