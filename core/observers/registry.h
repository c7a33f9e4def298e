#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/observers/observer.h"

namespace calibench {

using ObserverFactory = std::function<std::unique_ptr<Observer>(std::string base_name, QuantizationArgs args,
                                                                std::optional<ObservedModule> module, const nlohmann::json& kwargs)>;

/// An observer by its registered name; upper case, '-' and ' ' are read as in the reference ("MinMax", "static-minmax").
/// Throws InputError for an unknown name, naming the nearest, and for observer_kwargs that make no sense.
[[nodiscard]] std::unique_ptr<Observer> make_observer(const std::string& name, std::string base_name, QuantizationArgs args,
                                                      std::optional<ObservedModule> module = {},
                                                      const nlohmann::json& kwargs = nlohmann::json::object());
[[nodiscard]] std::vector<std::string> observer_names();
/// Whether llm-compressor lacks an observer of this name, and so refuses a recipe that asks for it.
[[nodiscard]] bool is_extension_observer(const std::string& name);
/// Adds an observer type, or replaces one. Not while other threads make observers.
void register_observer(const std::string& name, ObserverFactory factory);

/// The observer a recipe's name means for a weight, which is seen once: minmax and static_minmax act as memoryless_minmax,
/// mse as memoryless_mse.
[[nodiscard]] std::string weight_observer_name(const std::string& name);

}  // namespace calibench
