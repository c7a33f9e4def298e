#include "core/calibration/run_inputs.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {
namespace fs = std::filesystem;

/// Null for a file that is not there.
static nlohmann::json stamp_of(const fs::path& file) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (error) return {};
    const auto changed = fs::last_write_time(file, error);
    if (error) return {};
    return {{"bytes", size}, {"changed_ns", changed.time_since_epoch().count()}};
}

fs::path whole_path(const fs::path& path) {
    return path.empty() ? path : fs::absolute(path).lexically_normal();
}

nlohmann::json stamp_inputs(const RunConfig& config) {
    nlohmann::json stamps = nlohmann::json::object();
    const auto add = [&](const fs::path& file) { stamps[whole_path(file).string()] = stamp_of(file); };
    if (!config.dataset.empty()) add(config.dataset);
    std::error_code error;
    for (fs::directory_iterator entry(config.model_dir, error), end; !error && entry != end; entry.increment(error)) {
        const auto extension = entry->path().extension();
        if (extension == ".safetensors" || extension == ".json") add(entry->path());
    }
    return stamps;
}

void require_unchanged_inputs(const nlohmann::json& stamps) {
    std::vector<std::string> changed;
    for (const auto& [file, stamp] : stamps.items())
        if (stamp_of(file) != stamp) changed.push_back(file);
    if (changed.empty()) return;
    throw InputError(concat(list_names(changed), changed.size() == 1 ? " has" : " have",
                            " changed since the run began, so that its finished blocks no longer fit. Put back what was there, or start a new run."));
}

}  // namespace calibench
