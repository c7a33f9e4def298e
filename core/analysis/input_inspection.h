#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/analysis/weight_inspection.h"
#include "core/quantization/quantization_args.h"

namespace calibench {

// What is known of the inputs of a module from a run that saw them: a sketch, small enough to be kept for every module.

/// How a quantized input would do, answered from the sketch. `*_error` bound what the sketch cannot know.
struct InputAnswer {
    double scale = 0, zero_point = 0;  ///< of static strategies with one scale; 0 where every token or group has its own
    double scale_error = 0;            ///< relative; 0: exact
    double sqnr_db = 0;
    double sqnr_error_db = 0;
    double clipped_share = 0;
    double clipped_error = 0;
};

struct InputFacts {
    std::string module;
    int64_t num_tokens = 0, num_channels = 0;
    int64_t num_sampled_tokens = 0;    ///< SQNR in answers is of these, everything else of all tokens
    int64_t sample_stride = 1;         ///< they are every so many-th one, the first in the middle of a stride
    int64_t num_experts_together = 0;  ///< of experts: histogram and answers are of the inputs of so many together; 0: of this module alone
    double min = 0, max = 0;
    double outlier_ratio = 0;   ///< the largest over channels of max|x| of the channel / the median of that over channels
    std::vector<float> channel_max;      ///< max |x| of every channel
    std::vector<float> channel_mean_square;  ///< of every channel: what imatrix observers weigh by
    ValueHistogram histogram;            ///< of all values; of many tokens the middle 99.5 % are shared out as in the first ones
};

/// Where a module's output error comes from, measured on the first samples: y = W x of the float model on float inputs.
struct OutputError {
    std::string module;
    double output_sqnr_db = 0;     ///< of Wq xq against W x: all of it
    double local_sqnr_db = 0;      ///< of Wq x against W x: this module's rounding alone
    double inherited_sqnr_db = 0;  ///< of W xq against W x: what the modules before it did
};

/// The sketch of one module's inputs. Methods may be called from any thread.
class InputInspection {
public:
    virtual ~InputInspection() = default;
    [[nodiscard]] virtual const InputFacts& facts() const = 0;
    /// By the observer of `args` where the scale is static. Throws InputError for what the sketch cannot answer, saying why.
    [[nodiscard]] virtual InputAnswer answer(const QuantizationArgs& args) const = 0;
};

/// Null when the run did not look at this module's inputs. Throws InputError for a damaged file.
[[nodiscard]] std::shared_ptr<const InputInspection> inspect_input(const std::filesystem::path& run_dir, const std::string& module);
/// Of all modules that a run has finished, in model order.
[[nodiscard]] std::vector<OutputError> read_output_errors(const std::filesystem::path& run_dir);

}  // namespace calibench
