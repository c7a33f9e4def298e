#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/data/tokenizer.h"

namespace calibench {

struct DatasetOptions {
    int64_t num_samples = 128;
    int64_t seq_len = 512;
    uint64_t seed = 42;
    bool shuffle = false;  ///< false: the first num_samples * seq_len tokens, cut in order, as the peers' benches do
};

/// Token ids [num_samples, seq_len], row after row. No padding: text is cut into full samples.
struct CalibrationSet {
    int64_t num_samples = 0;
    int64_t seq_len = 0;
    std::vector<int64_t> input_ids;
    std::string description;  ///< "shakespeare.txt: 32 x 256 of 302,114 tokens"
};

/// Reads plain text (.txt, .md), JSON lines with a `text` field (.jsonl, .json), or pre-tokenised ids (.jsonl with
/// `input_ids`, .safetensors with `input_ids`). Throws InputError naming file and line, and when it is shorter than one sample.
/// Fewer samples than asked for are returned as they are, num_samples says how many.
[[nodiscard]] CalibrationSet load_calibration_set(const std::filesystem::path& file, const Tokenizer& tokenizer, const DatasetOptions& options);

}  // namespace calibench
