#include "ui/checkpoint_export.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <system_error>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace fs = std::filesystem;

namespace {

/// Removes a half-written copy unless it was completed.
class PartialFolder {
public:
    explicit PartialFolder(fs::path path) : m_path(std::move(path)) {
        fs::remove_all(m_path);
        fs::create_directories(m_path);
    }
    ~PartialFolder() {
        std::error_code ignored;
        if (!m_path.empty()) fs::remove_all(m_path, ignored);
    }
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;

    const fs::path& path() const { return m_path; }
    void renameTo(const fs::path& destination) {
        fs::rename(m_path, destination);
        m_path.clear();
    }

private:
    fs::path m_path;
};

/// In pieces, so that a shard of many gigabytes shows progress and can be called off.
void copyFile(const fs::path& from, const fs::path& to, const std::function<void(int64_t)>& copied) {
    std::ifstream in(from, std::ios::binary);
    std::ofstream out(to, std::ios::binary | std::ios::trunc);
    std::vector<char> buffer(size_t{4} << 20);
    while (in && out) {
        in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        out.write(buffer.data(), in.gcount());
        copied(in.gcount());
    }
    out.close();
    if (in.bad() || !in.eof() || !out) throw RunError(concat("copying ", from.string(), " to ", to.string(), " failed: is the disk full?"));
}

}  // namespace

CheckpointFacts inspectCheckpoint(const fs::path& folder) {
    CheckpointFacts facts;
    std::error_code error;
    for (auto entry = fs::recursive_directory_iterator(folder, error); !error && entry != fs::end(entry); entry.increment(error))
        if (entry->is_regular_file()) {
            facts.bytes += static_cast<int64_t>(entry->file_size());
            ++facts.files;
        }
    if (error) throw RunError(concat("the checkpoint ", folder.string(), " cannot be read: ", error.message()));
    const auto config = nlohmann::json::parse(std::ifstream(folder / "config.json"), nullptr, false);
    if (config.is_object() && config.contains("quantization_config")) {
        const auto& quantization = config["quantization_config"];
        if (quantization.is_object() && quantization.contains("format") && quantization["format"].is_string()) facts.format = quantization["format"];
    }
    return facts;
}

void exportCheckpoint(const fs::path& from, const fs::path& destination, const std::function<bool(int64_t, int64_t)>& progress) {
    if (fs::exists(destination)) throw InputError(concat(destination.string(), " exists already: choose a new folder name."));
    const int64_t total = inspectCheckpoint(from).bytes;
    try {
        PartialFolder partial(destination.parent_path() / ("." + destination.filename().string() + ".partial"));
        int64_t done = 0;
        for (const auto& entry : fs::recursive_directory_iterator(from)) {
            const fs::path target = partial.path() / fs::relative(entry.path(), from);
            if (entry.is_directory()) {
                fs::create_directories(target);
                continue;
            }
            copyFile(entry.path(), target, [&](int64_t bytes) {
                done += bytes;
                if (!progress(done, total)) throw Cancelled();
            });
        }
        partial.renameTo(destination);
    } catch (const fs::filesystem_error& error) {
        throw RunError(concat("exporting to ", destination.string(), " failed: ", error.code().message()));
    }
}

}  // namespace calibench
