#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace calibench {

/// The positions whose output error counts while a block is tuned, as auto-round picks them (calibration/llm.py): not padding, not
/// the last of a sample, which predicts nothing. Padding is what the mask says and every pad token; without a pad token also a
/// sample's trailing repetitions of its last one. input_ids and attention_mask (or undefined) [samples, seq] -> bool of that shape.
[[nodiscard]] at::Tensor make_loss_mask(const at::Tensor& input_ids, const at::Tensor& attention_mask,
                                        std::optional<int64_t> pad_token_id);

}  // namespace calibench
