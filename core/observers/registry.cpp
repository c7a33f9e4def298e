#include "core/observers/registry.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/observers/histogram.h"
#include "core/observers/imatrix.h"
#include "core/observers/min_max.h"
#include "core/observers/mse.h"

namespace calibench {

namespace {

template <typename ObserverType>
std::unique_ptr<Observer> make(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                               const nlohmann::json& kwargs) {
    return std::make_unique<ObserverType>(std::move(base_name), std::move(args), std::move(module), kwargs);
}

std::map<std::string, ObserverFactory>& registry() {
    static std::map<std::string, ObserverFactory> factories = {
        {"memoryless_minmax", make<MemorylessMinMaxObserver>},
        {"static_minmax", make<StaticMinMaxObserver>},
        {"minmax", make<MinMaxObserver>},
        {"memoryless_mse", make<MemorylessMseObserver>},
        {"mse", make<MseObserver>},
        {"nvfp4_expanded_mse", make<Nvfp4ExpandedMseObserver>},
        {"fouroversix", make<Nvfp4ExpandedMseObserver>},  // the reference's alias
        {"imatrix_mse", make<IMatrixMseObserver>},
        {"nvfp4_expanded_imatrix", make<Nvfp4ExpandedIMatrixObserver>},
        {"histogram", make<HistogramObserver>},
    };
    return factories;
}

std::string standard_name(std::string name) {
    for (char& c : name) c = c == '-' || c == ' ' ? '_' : char(std::tolower(static_cast<unsigned char>(c)));
    return name;
}

}  // namespace

std::unique_ptr<Observer> make_observer(const std::string& name, std::string base_name, QuantizationArgs args,
                                        std::optional<ObservedModule> module, const nlohmann::json& kwargs) {
    const auto it = registry().find(standard_name(name));
    if (it == registry().end()) {
        const std::vector<std::string> names = observer_names();
        const std::string near = closest_match(standard_name(name), names);
        throw InputError(concat("Unknown observer \"", name, "\"",
                                near.empty() ? concat(": choose one of ", list_names(names, names.size()))
                                             : concat(": did you mean \"", near, "\"?")));
    }
    return it->second(std::move(base_name), std::move(args), std::move(module), kwargs);
}

std::vector<std::string> observer_names() {
    std::vector<std::string> names;
    for (const auto& [name, factory] : registry()) names.push_back(name);
    return names;
}

bool is_extension_observer(const std::string& name) {
    static const std::set<std::string> reference = {"memoryless_minmax",  "static_minmax", "minmax",      "memoryless_mse",        "mse",
                                                    "nvfp4_expanded_mse", "fouroversix",   "imatrix_mse", "nvfp4_expanded_imatrix"};
    return !reference.contains(standard_name(name));
}

void register_observer(const std::string& name, ObserverFactory factory) { registry()[standard_name(name)] = std::move(factory); }

std::string weight_observer_name(const std::string& name) {
    const std::string standard = standard_name(name);
    if (standard == "minmax" || standard == "static_minmax") return "memoryless_minmax";
    if (standard == "mse") return "memoryless_mse";
    return standard;
}

}  // namespace calibench
