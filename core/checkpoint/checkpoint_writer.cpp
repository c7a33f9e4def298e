#include "core/checkpoint/checkpoint_writer.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file_lock.h"
#include "core/base/text.h"
#include "core/checkpoint/output_file.h"
#include "core/checkpoint/safetensors_header.h"

namespace calibench {
namespace fs = std::filesystem;
namespace {

/// What a model directory holds beside weights and config.json, and a reader of the export needs.
constexpr const char* carried_files[] = {
    "generation_config.json", "tokenizer.json",   "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json",      "vocab.json",       "vocab.txt",             "merges.txt",      "chat_template.jinja",
    "chat_template.json",     "preprocessor_config.json",
};

void write_text(const fs::path& path, const std::string& text) {
    OutputFile file(path);
    file.write(text.data(), text.size());
    file.close();
}

/// Tensors on their way into one shard: spooled as they come, laid out as the safetensors library does when the shard is full,
/// so that a shard is never in memory.
class ShardSpool {
public:
    explicit ShardSpool(const fs::path& path) : file_(path) {}

    void add(const std::string& name, const at::Tensor& tensor) {
        SafetensorsEntry entry = describe_tensor(name, tensor);
        entry.offset = file_.size();
        const at::Tensor data = tensor.cpu().contiguous();
        file_.write(data.const_data_ptr(), data.nbytes());
        entries_.push_back(std::move(entry));
    }

    /// Writes the shard and removes the spool.
    void assemble(const fs::path& shard) {
        sort_for_safetensors(entries_);
        OutputFile out(shard);
        const std::string header = safetensors_header(entries_, {{"format", "pt"}});
        out.write(header.data(), header.size());
        for (const auto& entry : entries_) out.append_from(file_, entry.offset, entry.num_bytes);
        out.close();
        fs::remove(file_.path());
    }

    [[nodiscard]] uint64_t size() const { return file_.size(); }

private:
    OutputFile file_;
    std::vector<SafetensorsEntry> entries_;
};

}  // namespace

/// ".NAME.partial-", followed by the process: beside the destination, so that a rename puts it into place.
static std::string partial_prefix(const fs::path& output) {
    return concat(".", output.filename().string(), ".partial-");
}

/// What a killed process has left beside `output`. A living one holds a lock on its own.
static void remove_abandoned(const fs::path& output) {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator entry(output.parent_path(), error), end; !error && entry != end; entry.increment(error))
        if (entry->path().filename().string().starts_with(partial_prefix(output))) found.push_back(entry->path());
    for (const auto& directory : found)
        if (FileLock(directory).state() == FileLock::State::Held) fs::remove_all(directory, error);
}

struct CheckpointWriter::State {
    CheckpointWriterOptions options;
    fs::path partial_dir;
    FileLock lock;  ///< on partial_dir
    std::unique_ptr<ShardSpool> spool;
    std::map<std::string, size_t> shard_of;
    size_t num_shards = 0;  ///< assembled ones
    int64_t bytes_written = 0;
    bool untied = false;
    bool committed = false;

    [[nodiscard]] fs::path unnamed_shard(size_t index) const { return partial_dir / concat("shard-", index); }

    void finish_shard() {
        spool->assemble(unnamed_shard(num_shards++));
        spool.reset();
    }

    void name_shards() const;
    void write_config(const nlohmann::json& quantization_config) const;
};

CheckpointWriter::CheckpointWriter(CheckpointWriterOptions options) : state_(std::make_unique<State>()) {
    fs::path output = fs::absolute(options.output_dir).lexically_normal();
    if (!output.has_filename()) output = output.parent_path();  // "out/" means "out"
    std::error_code error;
    if (fs::exists(output, error) && !(fs::is_directory(output, error) && fs::is_empty(output, error)))
        throw InputError(concat(output.string(), " exists already and is not an empty directory. Choose another output directory, or remove it first."));
    fs::create_directories(output.parent_path(), error);
    state_->partial_dir = output.parent_path() / concat(partial_prefix(output), ::getpid());
    if (!error) remove_abandoned(output);
    if (!error) fs::remove_all(state_->partial_dir, error);
    if (!error) fs::create_directory(state_->partial_dir, error);
    if (error)
        throw InputError(concat("The output directory ", output.string(), " cannot be written: ", error.message(), ". Choose another one."));
    state_->lock = FileLock(state_->partial_dir);
    options.output_dir = output;
    state_->options = std::move(options);
}

CheckpointWriter::~CheckpointWriter() {
    state_->spool.reset();
    std::error_code ignored;
    if (!state_->committed) fs::remove_all(state_->partial_dir, ignored);
}

void CheckpointWriter::add(const std::vector<NamedTensor>& tensors) {
    for (const auto& [name, tensor] : tensors) {
        const auto limit = static_cast<uint64_t>(state_->options.max_shard_bytes);
        if (state_->spool && state_->spool->size() > 0 && state_->spool->size() + tensor.nbytes() > limit) state_->finish_shard();
        if (!state_->spool) state_->spool = std::make_unique<ShardSpool>(state_->partial_dir / "spool");
        if (!state_->shard_of.emplace(name, state_->num_shards).second) throw RunError(concat(name, " was exported twice."));
        state_->spool->add(name, tensor);
        state_->bytes_written += static_cast<int64_t>(tensor.nbytes());
    }
}

int64_t CheckpointWriter::bytes_written() const {
    return state_->bytes_written;
}

/// model.safetensors, or model-00001-of-0000n.safetensors and their index: how many there are is known only at the end.
void CheckpointWriter::State::name_shards() const {
    if (num_shards == 1) {
        fs::rename(unnamed_shard(0), partial_dir / "model.safetensors");
        return;
    }
    std::vector<std::string> names;
    for (size_t i = 0; i < num_shards; ++i) {
        char name[80];
        std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, num_shards);
        fs::rename(unnamed_shard(i), partial_dir / name);
        names.emplace_back(name);
    }
    nlohmann::json index{{"metadata", {{"total_size", bytes_written}}}, {"weight_map", nlohmann::json::object()}};
    for (const auto& [tensor, shard] : shard_of) index["weight_map"][tensor] = names[shard];
    write_text(partial_dir / "model.safetensors.index.json", index.dump(2) + "\n");
}

void CheckpointWriter::State::write_config(const nlohmann::json& quantization_config) const {
    const fs::path source = options.source_dir / "config.json";
    std::ifstream stream(source);
    nlohmann::json config = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
    if (!config.is_object()) throw RunError(concat(source.string(), " is no longer readable as JSON."));
    config["quantization_config"] = quantization_config;
    if (untied) config["tie_word_embeddings"] = false;
    write_text(partial_dir / "config.json", config.dump(2, ' ', /*ensure_ascii=*/true));
}

void CheckpointWriter::untie_embeddings() {
    state_->untied = true;
}

void CheckpointWriter::commit(const nlohmann::json& quantization_config, const std::string& recipe_yaml) {
    State& s = *state_;
    try {
        if (s.spool) s.finish_shard();
        s.name_shards();
        s.write_config(quantization_config);
        for (const char* file : carried_files)
            if (fs::exists(s.options.source_dir / file)) fs::copy_file(s.options.source_dir / file, s.partial_dir / file);
        write_text(s.partial_dir / "recipe.yaml", recipe_yaml);
        fs::rename(s.partial_dir, s.options.output_dir);
    } catch (const fs::filesystem_error& error) {
        throw RunError(concat("The export to ", s.options.output_dir.string(), " failed at ", error.path1().string(), ": ",
                              error.code().message(), "."));
    }
    s.committed = true;
}

}  // namespace calibench
