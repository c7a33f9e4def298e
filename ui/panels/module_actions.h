#pragma once

#include <QObject>
#include <QStringList>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/quantization/quantization_scheme.h"
#include "ui/session.h"

class QAction;
class QMenu;

namespace calibench {

class RunController;

/// What can be done to the recipe with modules in hand: quantize them by another scheme, leave them as they are, pin them. Each
/// is one change of the recipe's text, which Undo takes back; the text is made off the window's thread.
class ModuleActions : public QObject {
    Q_OBJECT

public:
    /// `selected` names the quantizable modules that are picked at the time of asking.
    ModuleActions(Session& session, const RunController& controller, std::function<QStringList()> selected, QObject* parent = nullptr);
    ~ModuleActions() override;

    [[nodiscard]] QMenu* quantizeMenu() const { return m_quantize.get(); }  ///< filled when it opens
    QAction *quantize, *ignore, *pin;

    /// Why the recipe cannot be changed for the selection now, one sentence; empty when it can.
    [[nodiscard]] QString obstacle() const;

public Q_SLOTS:
    void update();  ///< the selection has changed

Q_SIGNALS:
    void failed(const QString& message);

private:
    void change(const Session::RecipeEdit& edit);
    void fillQuantizeMenu();
    void addScheme(QMenu* menu, const QString& text, const QuantizationScheme& scheme);
    void addPreset(QMenu* menu, const std::string& name, int64_t columns);  ///< in groups that divide `columns`

    Session& m_session;
    const RunController& m_controller;
    const std::function<QStringList()> m_selected;
    const std::unique_ptr<QMenu> m_quantize;
};

}  // namespace calibench
