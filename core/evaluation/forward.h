#pragma once

#include <filesystem>
#include <string>

namespace calibench {

struct ForwardOptions {
    std::filesystem::path model_dir;  ///< plain or compressed
    std::filesystem::path inputs;     ///< safetensors: input_ids [batch, seq], optional attention_mask of the same shape (1 = token)
    std::filesystem::path output;
    std::string device = "auto";      ///< auto | cpu | cuda | cuda:N
    std::string dtype = "float32";    ///< what to compute in; the output is float32 in any case
    int threads = 0;                  ///< 0: LibTorch's choice
};

/// Runs the model once and writes logits [batch, seq, vocab] and hidden_<i> [batch, seq, hidden_size], the output of block i, as
/// float32 safetensors. Throws InputError for inputs that are missing, misshapen or outside the vocabulary.
void forward_file(const ForwardOptions& options);

}  // namespace calibench
