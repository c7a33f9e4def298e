#include "core/autoround/loss_mask.h"

#include <ATen/ATen.h>

namespace calibench {

at::Tensor make_loss_mask(const at::Tensor& input_ids, const at::Tensor& attention_mask, std::optional<int64_t> pad_token_id) {
    at::Tensor counts;
    if (pad_token_id) {
        counts = input_ids != *pad_token_id;
    } else {
        // A position counts when anything from it to the end differs from the last token.
        const at::Tensor differs = (input_ids != input_ids.slice(1, -1)).to(at::kLong);
        counts = differs.flip(1).cumsum(1).flip(1) > 0;
    }
    if (attention_mask.defined()) counts = counts.logical_and(attention_mask.to(at::kBool));
    counts.slice(1, -1).fill_(false);
    return counts;
}

}  // namespace calibench
