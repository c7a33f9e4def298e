#include "ui/recipe/args_form.h"

#include <QLabel>

#include <algorithm>

namespace calibench {

namespace {

using Choice = ChoiceSetting::Choice;

const char* const None = "none";
const char* const Stored = "stored";
const char* const Static = "static";
const char* const DynamicMode = "dynamic";

// core/quantization spells these too, but the window does not link it.
std::string spelling(Strategy strategy) {
    switch (strategy) {
        case Strategy::Tensor: return "tensor";
        case Strategy::Channel: return "channel";
        case Strategy::Group: return "group";
        case Strategy::Block: return "block";
        case Strategy::Token: return "token";
        case Strategy::TensorGroup: return "tensor_group";
        case Strategy::AttnHead: return "attn_head";
    }
    return {};
}

std::vector<Choice> bitChoices(bool isFloat) {
    std::vector<Choice> choices;
    for (const int bits : isFloat ? std::vector{4, 8} : std::vector{2, 3, 4, 5, 6, 7, 8}) choices.push_back({bits, QString::number(bits)});
    return choices;
}

bool isGrouped(const Json& strategy) { return strategy == "group" || strategy == "tensor_group"; }

}  // namespace

ArgsForm::ArgsForm(Kind kind, const std::vector<std::string>& observers, QWidget* parent) : SettingsGrid(parent), m_kind(kind) {
    const Choice none{None, tr("as they are"), tr("Not quantized")};
    const Choice staticScales{Static, tr("static scales"), tr("Scales are measured on the calibration text and stored")};
    const Choice dynamicScales{DynamicMode, tr("dynamic scales"), tr("Every input gets scales of its own at run time")};
    const struct {
        QString label, help;
        std::vector<Choice> choices;
    } modes[] = {{tr("Weights"), tr("Whether the group's weights are quantized"), {none, {Stored, tr("quantized"), tr("Scales are stored with the weights")}}},
                 {tr("Inputs"), tr("Whether the activations that go into the group's modules are quantized"), {none, staticScales, dynamicScales}},
                 {tr("Outputs"), tr("Whether the activations that come out of the group's modules are quantized"), {none, staticScales, dynamicScales}},
                 {tr("Keys, values"), tr("Whether attention's key and value cache is quantized"), {none, staticScales}}};
    const auto& own = modes[static_cast<size_t>(kind)];
    m_mode = add<ChoiceSetting>(Setting::Words{own.label, own.help}, Json(None), own.choices);
    m_mode->setRequired(true);
    m_mode->changed = [this](const std::optional<Json>& value, bool) {
        if (value && *value != mode()) changeMode(value->get<std::string>());
    };
    QFont bold = font();
    bold.setBold(true);
    m_mode->label()->setFont(bold);
    addRows(observers);
}

void ArgsForm::addRows(const std::vector<std::string>& observers) {
    m_bits = add<ChoiceSetting>(Setting::Words{tr("Bits"), tr("num_bits: how many bits a value takes")}, Json(8), bitChoices(false));
    m_type = add<ChoiceSetting>(Setting::Words{tr("Type"), tr("type: evenly spaced integers, or floats that are finer near zero")}, Json("int"),
                                std::vector<Choice>{{"int", tr("integer")}, {"float", tr("float")}});
    m_symmetric = add<ToggleSetting>(Setting::Words{tr("Symmetric"), tr("symmetric: levels on both sides of zero alike; otherwise a zero point shifts them")}, true);
    m_strategy = add<ChoiceSetting>(Setting::Words{tr("Scale per"), tr("strategy: which values share a scale")}, Json("tensor"), strategies());
    m_groupSize = add<SizeSetting>(Setting::Words{tr("Group size"), tr("group_size: how many neighbours in a row share a scale; it must divide the columns")});
    std::vector<Choice> names;
    for (const std::string& name : observers) names.push_back({name, QString::fromStdString(name)});
    const char* usual = m_kind == Kind::Weights ? "memoryless_minmax" : "minmax";
    m_observer = add<ChoiceSetting>(Setting::Words{tr("Observer"), tr("observer: how the range is chosen that the scale covers")}, Json(usual), names);
    const auto plain = [this](const char* key) {
        return [this, key](std::optional<Json> value, bool typed) { change(key, std::move(value), typed); };
    };
    m_bits->changed = plain("num_bits");
    m_type->changed = [this](const std::optional<Json>& value, bool) { changeType(value); };
    m_symmetric->changed = plain("symmetric");
    m_strategy->changed = [this](const std::optional<Json>& value, bool) { changeStrategy(value); };
    m_groupSize->changed = plain("group_size");
    m_observer->changed = plain("observer");
    if (m_kind != Kind::Weights) return;
    m_order = add<ChoiceSetting>(Setting::Words{tr("Column order"), tr("actorder: quantize the columns with the largest activations first")}, Json("none"),
                                 std::vector<Choice>{{"none", tr("as stored")}, {"weight", tr("weight")}, {"static", tr("static")}});
    m_order->changed = [this](std::optional<Json> value, bool) { change("actorder", value == Json("none") ? std::nullopt : std::move(value)); };
}

void ArgsForm::show(const RecipePath& path, const Json* value, const QuantizationArgs* resolved) {
    m_path = path;
    m_value = value && value->is_object() ? std::optional(*value) : std::nullopt;
    const Json shown = mode();
    m_mode->show(&shown);
    showRows(resolved);
}

void ArgsForm::showRows(const QuantizationArgs* resolved) {
    if (m_value) {
        const Json* type = said("type");
        m_bits->setChoices(bitChoices(type && *type == "float"));
        m_bits->show(said("num_bits"));
        m_type->show(type);
        m_symmetric->show(said("symmetric"));
        m_strategy->setChoices(strategies());
        if (resolved && resolved->strategy) m_strategy->setDefault(spelling(*resolved->strategy));
        if (resolved && resolved->observer && !said("observer")) m_observer->setDefault(*resolved->observer);
        m_strategy->show(said("strategy"));
        m_strategy->setRequired(m_kind == Kind::KvCache);
        m_groupSize->setRequired(said("strategy") != nullptr);
        m_groupSize->show(said("group_size"));
        m_observer->show(said("observer"));
        if (m_order) m_order->show(said("actorder"));
    }
    const bool there = m_value.has_value();
    for (Setting* setting : std::initializer_list<Setting*>{m_bits, m_type, m_symmetric, m_strategy}) setting->setVisible(there);
    m_groupSize->setVisible(there && resolved && resolved->strategy && isGrouped(spelling(*resolved->strategy)));
    m_observer->setVisible(there && mode() != DynamicMode);
    if (m_order) m_order->setVisible(there);
}

void ArgsForm::setFittingSizes(std::vector<int64_t> sizes) {
    m_fitting = std::move(sizes);
    m_groupSize->setOffered(m_fitting);
}

QStringList ArgsForm::otherKeys() const {
    QStringList others;
    if (!m_value) return others;
    for (const auto& [key, value] : m_value->items()) {
        const bool shown = key == "num_bits" || key == "type" || key == "symmetric" || key == "strategy" || key == "group_size" || key == "dynamic" ||
                           key == "observer" || (key == "actorder" && m_order);
        if (!shown) others << QString::fromStdString(m_path.back() + "." + key);
    }
    return others;
}

void ArgsForm::changeMode(const std::string& mode) {
    if (mode == None || !m_value) {
        Q_EMIT changed({{m_path, mode == None ? std::nullopt : std::optional(initialValue(mode))}});
        return;
    }
    // Between static and dynamic, whatever else is said stays, but not a strategy that the other cannot have.
    RecipeChanges changes;
    const Json* strategy = said("strategy");
    if (mode == DynamicMode) {
        changes.push_back({below(m_path, {"dynamic"}), Json(true)});
        if (!strategy || *strategy == "tensor") changes.push_back({below(m_path, {"strategy"}), Json("token")});
    } else {
        changes.push_back({below(m_path, {"dynamic"}), std::nullopt});
        changes.push_back({below(m_path, {"strategy"}), Json("tensor")});
        if (said("group_size")) changes.push_back({below(m_path, {"group_size"}), std::nullopt});
    }
    Q_EMIT changed(changes);
}

void ArgsForm::changeStrategy(const std::optional<Json>& value) {
    RecipeChanges changes{{below(m_path, {"strategy"}), value}};
    const Json* size = said("group_size");
    const bool hasSize = size && size->is_number_integer() && size->get<int64_t>() > 0;
    if (value && isGrouped(*value) && !hasSize)
        changes.push_back({below(m_path, {"group_size"}), Json(*value == "group" ? usualSize() : 16)});
    else if (size && value && !isGrouped(*value))
        changes.push_back({below(m_path, {"group_size"}), std::nullopt});
    if (value && *value == "block" && !said("block_structure"))
        changes.push_back({below(m_path, {"block_structure"}), Json::array({128, 128})});
    else if (said("block_structure") && value != Json("block"))
        changes.push_back({below(m_path, {"block_structure"}), std::nullopt});
    Q_EMIT changed(changes);
}

void ArgsForm::changeType(const std::optional<Json>& value) {
    RecipeChanges changes{{below(m_path, {"type"}), value}};
    const Json* bits = said("num_bits");
    if (value && *value == "float" && bits && *bits != 4 && *bits != 8) changes.push_back({below(m_path, {"num_bits"}), Json(8)});
    Q_EMIT changed(changes);
}

void ArgsForm::change(const std::string& key, std::optional<Json> value, bool typed) {
    Q_EMIT changed({{below(m_path, {key}), std::move(value), typed}});
}

bool ArgsForm::isDynamic() const {
    const Json* dynamic = said("dynamic");
    return dynamic && *dynamic == true;
}

std::string ArgsForm::mode() const {
    if (!m_value) return None;
    if (m_kind == Kind::Weights) return Stored;
    const Json* dynamic = said("dynamic");
    if (dynamic && dynamic->is_string()) return dynamic->get<std::string>();  // "local": shown, not offered
    return isDynamic() ? DynamicMode : Static;
}

Json ArgsForm::initialValue(const std::string& mode) const {
    if (m_kind == Kind::Weights)
        return {{"num_bits", 4}, {"type", "int"}, {"symmetric", true}, {"strategy", "group"}, {"group_size", usualSize()}};
    if (m_kind == Kind::KvCache) return {{"num_bits", 8}, {"type", "float"}, {"symmetric", true}, {"strategy", "tensor"}};
    Json value = {{"num_bits", 8}, {"type", "int"}, {"symmetric", true}, {"strategy", mode == DynamicMode ? "token" : "tensor"}};
    if (mode == DynamicMode) value["dynamic"] = true;
    return value;
}

int64_t ArgsForm::usualSize() const {
    const auto fits = std::find_if(m_fitting.begin(), m_fitting.end(), [](int64_t size) { return size <= 128; });
    return fits == m_fitting.end() ? 128 : *fits;
}

const Json* ArgsForm::said(const char* key) const {
    if (!m_value) return nullptr;
    const auto found = m_value->find(key);
    return found == m_value->end() || found->is_null() ? nullptr : &*found;
}

std::vector<Choice> ArgsForm::strategies() const {
    const Choice tensor{"tensor", tr("tensor"), tr("One scale for the whole tensor")};
    const Choice token{"token", tr("token"), tr("One scale for every token")};
    const Choice group{"group", tr("group"), tr("One scale for a few neighbours in a row")};
    const Choice tensorGroup{"tensor_group", tr("tensor_group"), tr("Scales of groups relative to one of the tensor, as NVFP4 has them")};
    if (m_kind == Kind::KvCache) return {tensor, {"attn_head", tr("attention head"), tr("One scale for every head")}};
    if (m_kind != Kind::Weights) return isDynamic() ? std::vector{token, tensor, group, tensorGroup} : std::vector{tensor, tensorGroup};
    return {group, {"channel", tr("channel"), tr("One scale for every row, an output channel")}, tensor, tensorGroup,
            {"block", tr("block"), tr("One scale for a rectangle of weights")}};
}

}  // namespace calibench
