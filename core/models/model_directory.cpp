#include "core/models/model_directory.h"

#include "core/base/error.h"

namespace calibench {

ModelDirectory::ModelDirectory(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) throw InputError(path.string() + " is not a directory.");

    std::string problems;
    const auto note = [&](const std::string& problem) { problems += (problems.empty() ? "" : "\n") + problem; };
    const auto attempt = [&](const auto& step) {
        try {
            step();
        } catch (const InputError& error) {
            note(error.what());
        }
    };
    attempt([&] { config_ = std::make_unique<const ModelConfig>(read_model_config(path)); });
    attempt([&] { checkpoint_ = std::make_unique<const Checkpoint>(path); });
    if (config_ && checkpoint_) {
        attempt([&] {
            modules_ = std::make_unique<const StoredModules>(*config_, *checkpoint_);
            for (const std::string& problem : modules_->problems()) note(problem);
        });
    }
    if (!problems.empty()) throw InputError(problems);
}

}  // namespace calibench
