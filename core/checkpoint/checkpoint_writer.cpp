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
#include "core/checkpoint/write_behind.h"

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

/// One shard, written as its tensors come, so that it is never in memory. The header, which must stand before them and cannot be
/// known yet, gets room to grow into; what is left of it is filled with spaces, as the format allows.
class ShardFile {
public:
    ShardFile(const fs::path& path, uint64_t header_room) : file_(path), header_room_((header_room + 7) / 8 * 8) {
        const std::string room(header_room_, ' ');
        file_.write(room.data(), room.size());
    }

    void add(const std::string& name, const at::Tensor& tensor) {
        const SafetensorsEntry entry = describe_tensor(name, tensor);
        data_bytes_ += entry.num_bytes;
        // Every tensor must be aligned to its dtype, and nothing may lie between two. So those that would leave the next one
        // unaligned wait for the end; they are scales of one number and the like.
        if (entry.num_bytes % widest == 0) write(entry, tensor);
        else ragged_.emplace(name, tensor);
    }

    void finish() {
        std::vector<SafetensorsEntry> last;
        for (const auto& [name, tensor] : ragged_) last.push_back(describe_tensor(name, tensor));
        sort_for_safetensors(last);
        for (const SafetensorsEntry& entry : last) write(entry, ragged_.at(entry.name));
        const std::string header = safetensors_header(entries_, {{"format", "pt"}}, header_room_);
        if (header.size() > header_room_) return write_again(header);
        file_.overwrite(0, header.data(), header.size());
        file_.close();
    }

    [[nodiscard]] uint64_t size() const { return data_bytes_; }

private:
    static constexpr uint64_t widest = 8;  ///< bytes of the widest dtype

    void write(const SafetensorsEntry& entry, const at::Tensor& tensor) {
        const at::Tensor data = tensor.contiguous();
        file_.write(data.const_data_ptr(), data.nbytes());
        entries_.push_back(entry);
    }

    /// The same behind a header that outgrew its room.
    void write_again(const std::string& header) {
        const fs::path place = file_.path(), roomier = place.string() + ".roomier";
        OutputFile out(roomier);
        out.write(header.data(), header.size());
        out.append_from(file_, header_room_, data_bytes_);
        out.close();
        fs::rename(roomier, place);
    }

    OutputFile file_;
    uint64_t header_room_;
    uint64_t data_bytes_ = 0;
    std::vector<SafetensorsEntry> entries_;
    std::map<std::string, at::Tensor> ragged_;
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

/// Of tensors on their way to the disk, beyond one batch of them.
constexpr int64_t most_waiting_bytes = 32 << 20;

struct CheckpointWriter::State {
    CheckpointWriterOptions options;
    fs::path partial_dir;
    FileLock lock;  ///< on partial_dir
    std::set<std::string> names;
    int64_t bytes_written = 0;
    bool untied = false;
    bool committed = false;

    // The writing thread's, until it has finished.
    std::unique_ptr<ShardFile> shard;  ///< being written
    std::map<std::string, size_t> shard_of;
    size_t num_shards = 0;  ///< finished ones
    WriteBehind writes{most_waiting_bytes};

    [[nodiscard]] fs::path unnamed_shard(size_t index) const { return partial_dir / concat("shard-", index); }

    void append(const std::string& name, const at::Tensor& tensor) {
        const auto limit = static_cast<uint64_t>(options.max_shard_bytes);
        if (shard && shard->size() + tensor.nbytes() > limit) finish_shard();
        if (!shard) shard = std::make_unique<ShardFile>(unnamed_shard(num_shards), options.header_room);
        shard_of.emplace(name, num_shards);
        shard->add(name, tensor);
    }

    void finish_shard() {
        shard->finish();
        shard.reset();
        ++num_shards;
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
    state_->writes.drop();
    state_->shard.reset();
    std::error_code ignored;
    if (!state_->committed) fs::remove_all(state_->partial_dir, ignored);
}

void CheckpointWriter::add(std::vector<NamedTensor> tensors, std::function<void()> on_written) {
    int64_t bytes = 0;
    for (auto& [name, tensor] : tensors) {
        if (!state_->names.insert(name).second) throw RunError(concat(name, " was exported twice."));
        tensor = tensor.cpu();
        bytes += static_cast<int64_t>(tensor.nbytes());
    }
    state_->bytes_written += bytes;
    state_->writes.add(bytes, [state = state_.get(), tensors = std::move(tensors), on_written = std::move(on_written)] {
        for (const auto& [name, tensor] : tensors) state->append(name, tensor);
        if (on_written) on_written();
    });
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
    s.writes.finish();
    try {
        if (s.shard) s.finish_shard();
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
