#include "ui/recipe/modifier_form.h"

#include <algorithm>

#include "core/recipe/tuning_presets.h"
#include "ui/format.h"

namespace calibench {

namespace {

const char* const Section = "calibench";
const char* const OwnBudget = "own";  // no preset has this name

/// Shown by the other parts of the form.
const std::vector<std::string> SchemeKeys = {"scheme", "targets", "ignore", "config_groups", "kv_cache_scheme"};

}  // namespace

template <typename T, typename... Args>
T* ModifierForm::addKey(bool ofSection, const char* key, Args&&... args) {
    T* setting = add<T>(std::forward<Args>(args)...);
    setting->changed = [this, ofSection, key](std::optional<Json> value, bool typed) {
        Q_EMIT changed({{ofSection ? RecipePath{Section, key} : below(m_path, {key}), std::move(value), typed}});
    };
    m_keys.push_back({ofSection, key, setting});
    return setting;
}

ModifierForm::ModifierForm(QWidget* parent) : SettingsGrid(parent) {
    m_class = add<ChoiceSetting>(Setting::Words{tr("Method"), tr("How the rounding of the weights is found")}, Json(),
                                 std::vector<ChoiceSetting::Choice>{
                                     {"AutoRoundModifier", tr("AutoRound"), tr("Learns for every weight whether to round up or down")},
                                     {"QuantizationModifier", tr("Round to nearest"), tr("Takes seconds; the place to start with 8 bits")}});
    m_class->setRequired(true);
    m_class->changed = [this](const std::optional<Json>& value, bool) {
        const QString name = value ? QString::fromStdString(value->get<std::string>()) : QString();
        if (value && value->get<std::string>() != m_path.back()) Q_EMIT classRequested(name);
    };
    addBudget();
    const AutoRoundSettings defaults;
    addKey<IntegerSetting>(false, "iters", Setting::Words{tr("Iterations"), tr("iters: tuning steps for every block; 0 rounds to nearest")},
                           static_cast<int>(defaults.iters), 0, 1'000'000);
    addKey<IntegerSetting>(false, "batch_size", Setting::Words{tr("Batch size"), tr("batch_size: samples for every step; smaller needs less memory")},
                           static_cast<int>(defaults.batch_size), 1, 1'000'000);
    m_lr = addKey<RealSetting>(false, "lr", Setting::Words{tr("Learning rate"), tr("lr: how far a step goes; automatic is 1 / iters")});
    addKey<ChoiceSetting>(true, "effort", Setting::Words{tr("Effort"), tr("effort: how the budget is spent. llm-compressor leaves it alone")}, Json("exact"),
                          std::vector<ChoiceSetting::Choice>{
                              {"exact", tr("exact"), tr("All iterations, as AutoRound was published")},
                              {"quick", tr("quick"), tr("Integers start with a rounding that takes the inputs into account; those of 4 bits and more end there, all others make half of the iterations")}});
    auto* minmax = addKey<RealSetting>(true, "minmax_lr", Setting::Words{tr("Range rate"), tr("minmax_lr: the learning rate of the groups' ranges. llm-compressor leaves it alone")});
    minmax->setPlaceholder(tr("learning rate"));
    addKey<ToggleSetting>(true, "enable_minmax_tuning", Setting::Words{tr("Tune ranges"), tr("enable_minmax_tuning: learn how far to clip every group's range, too. llm-compressor leaves it alone")},
                          defaults.enable_minmax_tuning);
    addKey<ToggleSetting>(true, "enable_quanted_input", Setting::Words{tr("Quanted input"), tr("enable_quanted_input: tune each block on what the quantized blocks before it give. llm-compressor leaves it alone")},
                          defaults.enable_quanted_input);
    addKey<IntegerSetting>(true, "nblocks", Setting::Words{tr("Blocks at once"), tr("nblocks: blocks tuned together, on the outputs of the last of them; takes their memory. llm-compressor leaves it alone")},
                           static_cast<int>(defaults.nblocks), 1, 1000);
    addKey<ToggleSetting>(true, "enable_alg_ext", Setting::Words{tr("SignRoundV2"), tr("enable_alg_ext: start from searched scales, and leave outliers out of the loss below 4 bits. llm-compressor leaves it alone")},
                          defaults.enable_alg_ext);
    addKey<ToggleSetting>(true, "enable_lfq", Setting::Words{tr("Next tokens"), tr("enable_lfq: tune the last block on the next token's cross-entropy. llm-compressor leaves it alone")},
                          defaults.enable_lfq);
}

void ModifierForm::addBudget() {
    std::vector<ChoiceSetting::Choice> choices;
    for (const TuningPreset& preset : tuning_presets) {
        choices.push_back({preset.name, QString::fromLatin1(preset.name),
                           tr("%1 iterations in batches of %2; made for %3 samples of %4 tokens").arg(preset.iters).arg(preset.batch_size).arg(preset.num_samples).arg(preset.seq_len)});
    }
    choices.push_back({OwnBudget, tr("as below"), tr("What iterations, batch size and learning rate say")});
    m_budget = add<ChoiceSetting>(Setting::Words{tr("Budget"), tr("auto-round's presets of iterations, batch size and learning rate")}, Json(OwnBudget), std::move(choices));
    m_budget->setRequired(true);
    m_budget->changed = [this](const std::optional<Json>& value, bool) {
        for (const TuningPreset& preset : tuning_presets) {
            if (!value || *value != preset.name) continue;
            Q_EMIT changed({{below(m_path, {"iters"}), Json(preset.iters)},
                            {below(m_path, {"batch_size"}), Json(preset.batch_size)},
                            {below(m_path, {"lr"}), preset.lr ? std::optional<Json>(*preset.lr) : std::nullopt}});
        }
    };
}

void ModifierForm::showBudget(const AutoRoundSettings& settings) {
    Json name = OwnBudget;
    for (const TuningPreset& preset : tuning_presets)
        if (settings.iters == preset.iters && settings.batch_size == preset.batch_size && settings.lr == preset.lr) name = preset.name;
    m_budget->show(&name);
}

void ModifierForm::show(const Modifier& modifier, const Json& values) {
    m_path = modifier.path;
    const Json className = modifier.class_name;
    m_class->show(&className);
    const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
    m_budget->setVisible(settings != nullptr);
    if (settings) showBudget(*settings);
    const int64_t iters = settings ? settings->iters : 0;
    m_lr->setPlaceholder(iters > 0 ? tr("automatic: %1").arg(formatNumber(1.0 / static_cast<double>(iters))) : tr("automatic"));
    for (const Key& key : m_keys) {
        key.setting->setVisible(settings != nullptr);
        key.setting->show(valueAt(values, key.ofSection ? RecipePath{Section, key.name} : below(m_path, {key.name})));
    }
    m_otherKeys.clear();
    const auto collect = [&](const Json* map, bool ofSection) {
        if (!map || !map->is_object()) return;
        for (const auto& [name, value] : map->items()) {
            const bool shown = std::any_of(m_keys.begin(), m_keys.end(), [&, &name = name](const Key& key) { return key.ofSection == ofSection && key.name == name; });
            const bool elsewhere = !ofSection && std::find(SchemeKeys.begin(), SchemeKeys.end(), name) != SchemeKeys.end();
            if (!shown && !elsewhere) m_otherKeys << QString::fromStdString(name);
        }
    };
    collect(valueAt(values, m_path), false);
    collect(valueAt(values, {Section}), true);
}

}  // namespace calibench
