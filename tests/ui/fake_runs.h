#pragma once

#include <QDir>
#include <QFile>
#include <QString>
#include <QTemporaryDir>

#include <map>
#include <memory>
#include <mutex>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tests/ui/fixtures.h"
#include "ui/core_services.h"
#include "ui/format.h"

namespace calibench::test {

/// Runs of earlier days: folders on disk that the window finds, and what the core would read from them.
class FakeRuns {
public:
    FakeRuns() { QDir(m_folder.path()).mkpath(QStringLiteral("runs")); }

    [[nodiscard]] QString workspace() const { return m_folder.filePath(QStringLiteral("runs")); }
    [[nodiscard]] QString file(const QString& name) const { return m_folder.filePath(name); }

    /// A run as the window keeps it; returns its directory.
    QString add(const QString& name, RunFacts facts) {
        const QString folder = workspace() + QLatin1Char('/') + name, directory = folder + QStringLiteral("/run");
        QDir().mkpath(directory);
        QDir().mkpath(folder + QStringLiteral("/checkpoint"));
        facts.run_dir = toPath(directory);
        facts.config.run_dir = facts.run_dir;
        facts.config.output_dir = toPath(folder + QStringLiteral("/checkpoint"));
        if (facts.ending == StoredRun::Ending::Finished) facts.output_dir = facts.config.output_dir;
        touch(directory + QStringLiteral("/run.json"), "{}");
        const std::scoped_lock lock(m_mutex);
        m_facts[facts.run_dir] = std::move(facts);
        return directory;
    }
    /// A folder that says it holds a run, and does not.
    QString addDamaged(const QString& name) {
        const QString directory = workspace() + QLatin1Char('/') + name;
        QDir().mkpath(directory);
        touch(directory + QStringLiteral("/run.json"), "{");
        return directory;
    }
    [[nodiscard]] RunNotes notes(const QString& directory) {
        const std::scoped_lock lock(m_mutex);
        return m_notes[toPath(directory)];
    }
    void setNotes(const QString& directory, const RunNotes& notes) {
        const std::scoped_lock lock(m_mutex);
        m_notes[toPath(directory)] = notes;
    }

    /// What reads and writes these runs. `runs` lives as long as the services do.
    static void install(const std::shared_ptr<FakeRuns>& runs, CoreServices& services) {
        services.factsOfRun = [runs](const std::filesystem::path& directory) {
            const std::scoped_lock lock(runs->m_mutex);
            const auto found = runs->m_facts.find(directory);
            if (found == runs->m_facts.end()) throw InputError(concat((directory / "run.json").string(), ", line 1: this is no JSON object. The file is damaged."));
            return found->second;
        };
        services.readNotes = [runs](const std::filesystem::path& directory) {
            const std::scoped_lock lock(runs->m_mutex);
            return runs->m_notes[directory];
        };
        services.writeNotes = [runs](const std::filesystem::path& directory, const RunNotes& notes) {
            if (notes.title == "full disk") throw RunError(concat((directory / "notes.json").string(), " cannot be written. Is the disk full?"));
            const std::scoped_lock lock(runs->m_mutex);
            runs->m_notes[directory] = notes;
        };
    }

private:
    static void touch(const QString& name, const char* bytes) {
        QFile file(name);
        if (!file.open(QIODevice::WriteOnly) || file.write(bytes) < 0) qFatal("%s cannot be written", qPrintable(name));
    }

    QTemporaryDir m_folder;
    std::mutex m_mutex;
    std::map<std::filesystem::path, RunFacts> m_facts;
    std::map<std::filesystem::path, RunNotes> m_notes;
};

/// A finished run of the dense model: weights of block b are quantized at 20 + b dB, outputs two below, losses fall by half.
inline RunFacts finishedRun(int blocks = 2, int64_t began = 1'700'000'000) {
    const ModelSummary model = denseModel(blocks);
    RunFacts facts;
    facts.began = began;
    facts.ending = StoredRun::Ending::Finished;
    facts.started = startOf(model, 4);
    facts.started.batch_size = 2;
    facts.config.model_dir = "/models/tiny";
    facts.config.dataset = "/texts/text.txt";
    facts.config.num_samples = 4;
    facts.config.seq_len = 32;
    facts.config.recipe_yaml = "test_stage:\n  quant_modifiers:\n    group_size: 64\n";
    facts.effort = "exact";
    facts.schemes = "W4 g64 sym";
    facts.blocks_done = blocks;
    facts.seconds = 61;
    facts.output_bytes = 4096;
    facts.mean_initial_loss_mse = 2e-4;
    facts.mean_best_loss_mse = 1e-4;
    for (const ModuleInfo& info : model.modules) {
        if (info.block < 0) continue;
        ModuleOutcome module{.block = info.block, .expert = -1, .scheme = "W4 g64 sym"};
        module.weight_sqnr_db = 20 + info.block;
        module.output_sqnr_db = 18 + info.block;
        module.local_sqnr_db = 19 + info.block;
        module.inherited_sqnr_db = 25;
        module.weight_range = {-0.5, 0.25};
        module.input_range = {-2, 3};
        module.tokens = 128;
        facts.modules.emplace_back(info.name, module);
    }
    for (int block = 0; block < blocks; ++block)
        facts.blocks[block] = {.name = concat("model.layers.", block), .initial_loss_mse = 2e-4, .best_loss_mse = 1e-4, .best_iteration = 3, .seconds = 30, .finished = true,
                               .loss_mse = {2e-4, 1.6e-4, 1.2e-4, 1e-4}};
    return facts;
}

}  // namespace calibench::test
