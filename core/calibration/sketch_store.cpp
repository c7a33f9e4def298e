#include "core/calibration/sketch_store.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/checkpoint_writer.h"
#include "core/models/safetensors.h"

namespace calibench {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* about_key = "sketches";  // of the file's metadata
constexpr const char* extension = ".safetensors";

/// Counts as far as there are any, and which bin they begin at: int32 while they fit.
void store_counts(const std::string& name, const SignedHistogram& values, std::vector<NamedTensor>& tensors, json& about) {
    const std::vector<int64_t>& counts = values.counts();
    const auto is_used = [](int64_t count) { return count != 0; };
    const auto first = std::find_if(counts.begin(), counts.end(), is_used);
    const auto last = std::find_if(counts.rbegin(), std::make_reverse_iterator(first), is_used).base();
    at::Tensor used = at::tensor(std::vector<int64_t>(first, last), at::kLong);
    if (used.numel() == 0 || used.max().item<int64_t>() <= std::numeric_limits<int32_t>::max()) used = used.to(at::kInt);
    tensors.push_back({name, used});
    about["exponent"] = values.exponent();
    about["first_bin"] = first - counts.begin();
}

SignedHistogram read_counts(const at::Tensor& stored, const json& about) {
    const at::Tensor used = stored.to(at::kLong).contiguous();
    const auto first = about.at("first_bin").get<int64_t>();
    std::vector<int64_t> counts(SignedHistogram::num_bins);
    if (first < 0 || first + used.numel() > SignedHistogram::num_bins) throw InputError("too many bins");
    std::copy_n(used.const_data_ptr<int64_t>(), used.numel(), counts.begin() + first);
    return {about.at("exponent").get<int>(), std::move(counts)};
}

json describe(const std::string& name, const ActivationSketch& sketch, std::vector<NamedTensor>& tensors) {
    json about = {{"num_channels", sketch.num_channels}, {"num_sampled", sketch.num_sampled}, {"sample_stride", sketch.sample_stride},
                  {"open_low", sketch.open_low}, {"open_high", sketch.open_high}, {"by_expert", sketch.by_expert},
                  {"dtype", to_string(to_dtype(sketch.dtype))}, {"sampled_energy", sketch.sampled_energy},
                  {"sampled_largest", sketch.sampled_largest}, {"measured", sketch.measured}};
    tensors.push_back({name + ".ranges", sketch.ranges});
    if (sketch.static_cells.defined()) tensors.push_back({name + ".static_cells", sketch.static_cells});
    for (const auto& [share, cells] : sketch.cells) tensors.push_back({concat(name, ".cells.", share), cells});
    store_counts(name + ".counts", sketch.values, tensors, about);
    return about;
}

/// Whoever reads numbers from a tensor must know that they are there.
at::Tensor table(const SafetensorsFile& file, const std::string& name, int64_t columns) {
    const at::Tensor stored = file.tensor(name);
    if (stored.dim() != 2 || stored.size(1) != columns || stored.scalar_type() != at::kFloat) throw InputError(name);
    return stored;
}

ActivationSketch read_sketch(const std::string& name, const json& about, const SafetensorsFile& file) {
    ActivationSketch sketch;
    about.at("num_channels").get_to(sketch.num_channels);
    about.at("num_sampled").get_to(sketch.num_sampled);
    about.at("sample_stride").get_to(sketch.sample_stride);
    about.at("open_low").get_to(sketch.open_low);
    about.at("open_high").get_to(sketch.open_high);
    about.at("by_expert").get_to(sketch.by_expert);
    sketch.dtype = to_scalar_type(dtype_from_string(about.at("dtype").get<std::string>()));
    about.at("sampled_energy").get_to(sketch.sampled_energy);
    about.at("sampled_largest").get_to(sketch.sampled_largest);
    about.at("measured").get_to(sketch.measured);
    sketch.ranges = table(file, name + ".ranges", 2);
    if (sketch.num_sampled > 0) sketch.static_cells = table(file, name + ".static_cells", 3);
    for (const ScaleShare& share : sketched_shares())
        if (const std::string cells = concat(name, ".cells.", share.name()); file.contains(cells)) sketch.cells[share.name()] = table(file, cells, 3);
    sketch.values = read_counts(file.tensor(name + ".counts"), about);
    return sketch;
}

/// Of the blocks' names, "model.layers.10": by number where there is one.
bool in_model_order(const std::string& a, const std::string& b) {
    const auto number = [](const std::string& name) { return std::atoll(name.c_str() + name.rfind('.') + 1); };
    return number(a) != number(b) ? number(a) < number(b) : a < b;
}

}  // namespace

SketchStore::SketchStore(const fs::path& run_dir) : directory_(run_dir / "sketches") {}

fs::path SketchStore::file_of(const std::string& block) const { return directory_ / (block + extension); }

void SketchStore::make_directory() const {
    std::error_code error;
    fs::create_directories(directory_, error);
    if (error) throw RunError(concat(directory_.string(), " cannot be written: ", error.message(), "."));
}

void SketchStore::keep(const std::string& block, const StoredSketches& stored) const {
    std::vector<NamedTensor> tensors;
    json about = {{"scale_dtype", to_string(to_dtype(stored.scale_dtype))}, {"modules", json::object()}, {"channels", json::object()},
                  {"sketches", json::object()}, {"output_errors", json::array()}};
    for (const auto& [module, place] : stored.inputs.modules) about["modules"][module] = {place.channels, place.sketch};
    for (const auto& [name, channels] : stored.inputs.channels) {
        about["channels"][name] = {channels.num_tokens, channels.min, channels.max};
        tensors.push_back({name + ".largest", channels.largest});
        tensors.push_back({name + ".energy", channels.energy.to(at::kFloat)});
    }
    for (const auto& [name, sketch] : stored.inputs.sketches) about["sketches"][name] = describe(name, sketch, tensors);
    for (const auto& [expert, ranges] : stored.inputs.expert_ranges) tensors.push_back({expert + ".expert_ranges", ranges});
    for (const OutputErrorMeasured& error : stored.output_errors) about["output_errors"].push_back(to_json(error));
    make_directory();
    write_safetensors(file_of(block), tensors, {{"format", "pt"}, {about_key, about.dump()}});
}

void SketchStore::take_over(const std::string& block, const SketchStore& other) const {
    if (const auto sketches = other.read(block)) keep(block, *sketches);
}

std::optional<StoredSketches> SketchStore::read(const std::string& block) const {
    std::error_code error;
    if (!fs::exists(file_of(block), error)) return {};
    const SafetensorsFile file(file_of(block));
    const auto damaged = [&] { return InputError(concat(file.path().string(), " is damaged. Remove it; the run itself does not need it.")); };
    const auto found = file.metadata().find(about_key);
    const json about = found == file.metadata().end() ? json() : json::parse(found->second, nullptr, /*allow_exceptions=*/false);
    StoredSketches stored;
    try {
        stored.scale_dtype = to_scalar_type(dtype_from_string(about.at("scale_dtype").get<std::string>()));
        for (const auto& [module, place] : about.at("modules").items())
            stored.inputs.modules[module] = {place.at(0).get<std::string>(), place.at(1).get<std::string>()};
        for (const auto& [name, channels] : about.at("channels").items())
            stored.inputs.channels[name] = {channels.at(0).get<int64_t>(), channels.at(1).get<float>(), channels.at(2).get<float>(),
                                            file.tensor(name + ".largest"), file.tensor(name + ".energy")};
        for (const auto& [name, sketch] : about.at("sketches").items()) stored.inputs.sketches[name] = read_sketch(name, sketch, file);
        for (const auto& [module, place] : stored.inputs.modules) {
            if (!stored.inputs.channels.contains(place.channels) || !stored.inputs.sketches.contains(place.sketch)) throw damaged();
            if (const std::string ranges = module + ".expert_ranges"; file.contains(ranges)) stored.inputs.expert_ranges[module] = table(file, ranges, 2);
        }
        for (const json& measured : about.at("output_errors")) stored.output_errors.push_back(std::get<OutputErrorMeasured>(run_event_from_json(measured)));
    } catch (const json::exception&) {
        throw damaged();
    } catch (const InputError&) {
        throw damaged();
    } catch (const std::bad_variant_access&) {
        throw damaged();
    }
    return stored;
}

std::vector<std::string> SketchStore::blocks() const {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error))
        if (entry->path().extension() == extension) names.push_back(entry->path().stem().string());
    std::sort(names.begin(), names.end(), in_model_order);
    return names;
}

std::optional<fs::file_time_type> SketchStore::written(const std::string& block) const {
    std::error_code error;
    const auto time = fs::last_write_time(file_of(block), error);
    return error ? std::nullopt : std::optional(time);
}

void SketchStore::remove_unfinished() const noexcept {
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;
        if (entry->path().extension() != extension) fs::remove(entry->path(), ignored);
    }
}

void SketchStore::remove_all() const noexcept {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

}  // namespace calibench
