#include "core/observers/fused_groups.h"

#include <set>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

const std::vector<std::vector<std::string>>& fused_layer_names() {
    static const std::vector<std::vector<std::string>> names = {
        {"gate_proj", "up_proj"},
        {"q_proj", "k_proj", "v_proj"},
        {"q_a_proj", "kv_a_proj_with_mqa"},
        {"w1", "w3"},
    };
    return names;
}

std::vector<std::vector<std::string>> find_fused_groups(std::span<const std::string> module_names) {
    const std::set<std::string> modules(module_names.begin(), module_names.end());
    std::vector<std::vector<std::string>> groups;
    for (const std::string& module : module_names) {
        const size_t dot = module.rfind('.');
        const std::string parent = dot == std::string::npos ? "" : module.substr(0, dot + 1);
        for (const auto& names : fused_layer_names()) {
            if (module != parent + names.front()) continue;
            std::vector<std::string> group;
            for (const std::string& name : names)
                if (modules.count(parent + name)) group.push_back(parent + name);
            if (group.size() == names.size()) groups.push_back(std::move(group));
        }
    }
    return groups;
}

/// "('q_proj', 'k_proj', 'v_proj')", as the reference prints the group.
static std::string print_group(const std::vector<std::string>& group) {
    std::string text = "(";
    for (size_t i = 0; i < group.size(); ++i) text += (i ? ", '" : "'") + group[i].substr(group[i].rfind('.') + 1) + "'";
    return text + ")";
}

std::vector<std::vector<Observer*>> fused_weight_observers(std::span<const std::string> module_names,
                                                           std::span<Observer* const> weight_observers) {
    std::map<std::string, Observer*> observer_of;
    for (Observer* observer : weight_observers) observer_of[observer->module_name()] = observer;

    std::vector<std::vector<Observer*>> fused;
    for (const auto& group : find_fused_groups(module_names)) {
        std::vector<Observer*> members;
        std::vector<std::string> unobserved, other_strategy;
        for (const std::string& module : group) {
            const auto found = observer_of.find(module);
            if (found == observer_of.end()) unobserved.push_back(module);
            else if (found->second->args().strategy != Strategy::TensorGroup) other_strategy.push_back(module);
            else members.push_back(found->second);
        }
        if (members.empty()) continue;
        const auto require = [&](const std::vector<std::string>& offenders, const char* what) {
            if (!offenders.empty())
                throw InputError(concat("Some layers in fused group: ", print_group(group), " have ", what,
                                        ", need all fused layers to have same quantization: ", list_names(offenders)));
        };
        require(unobserved, "no weight observer");
        require(other_strategy, "non-TENSOR_GROUP quantization");
        fused.push_back(std::move(members));
    }
    return fused;
}

void share_global_scale(std::span<Observer* const> group) {
    at::Tensor absmax;
    for (Observer* observer : group) {
        const MinMax range = observer->statistics();
        if (!range.min.defined())
            throw RunError(observer->module_name() + ": its weight must be observed before the global scale of its fused group is made");
        const at::Tensor own = at::max(range.max.max(), range.min.min().neg());
        absmax = absmax.defined() ? at::max(absmax, own) : own;
    }
    const at::Tensor global_scale = generate_gparam(absmax.reshape({1}).neg(), absmax.reshape({1}));
    for (Observer* observer : group) observer->share_global_scale(global_scale);
}

}  // namespace calibench
