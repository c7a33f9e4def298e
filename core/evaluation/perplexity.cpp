#include "core/evaluation/perplexity.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/text_file.h"
#include "core/data/tokenizer.h"
#include "core/evaluation/compute_options.h"
#include "core/models/causal_lm.h"

namespace calibench {
namespace {

/// Windows in one forward pass, and rows of logits at a time: a row is as wide as the vocabulary.
constexpr int64_t batch_size = 4;
constexpr int64_t logits_rows = 256;

at::Tensor cut_windows(const PerplexityOptions& options) {
    const auto ids = Tokenizer::open(options.model_dir).encode(read_text(options.text));
    const auto length = static_cast<int64_t>(ids.size());
    const int64_t used = options.max_tokens > 0 ? std::min(options.max_tokens, length) : length;
    const int64_t windows = used / options.seq_len;
    if (windows == 0)
        throw InputError(concat(options.text.string(), " gives ", used, " tokens, fewer than one window of ", options.seq_len, "."));
    return at::tensor(at::ArrayRef<int64_t>(ids.data(), static_cast<size_t>(windows * options.seq_len))).view({windows, options.seq_len});
}

/// The mean negative log-likelihood of one window's predictions; hidden [seq, hidden_size] behind the last block.
double window_nll(CausalLm& model, const at::Tensor& hidden, const at::Tensor& ids) {
    const int64_t predictions = ids.size(0) - 1;
    double sum = 0;
    for (int64_t begin = 0; begin < predictions; begin += logits_rows) {
        const int64_t end = std::min(begin + logits_rows, predictions);
        const at::Tensor logits = model.logits(hidden.slice(0, begin, end).unsqueeze(0)).squeeze(0).to(at::kFloat);
        const at::Tensor targets = ids.slice(0, begin + 1, end + 1).unsqueeze(1);
        sum += (logits.logsumexp(1) - logits.gather(1, targets).squeeze(1)).sum(at::kDouble).item<double>();
    }
    return sum / static_cast<double>(predictions);
}

}  // namespace

Perplexity evaluate_perplexity(const PerplexityOptions& options, RunControl& control, const std::function<void(double)>& on_progress) {
    const at::NoGradGuard no_grad;
    if (options.seq_len < 2) throw InputError("The sequence length must be at least 2 tokens.");
    if (options.threads > 0) at::set_num_threads(options.threads);
    const auto model = CausalLm::open(options.model_dir, choose_compute(options.device, options.dtype, read_model_config(options.model_dir).dtype));
    const at::Tensor ids = cut_windows(options).to(model->options().device);
    const int64_t windows = ids.size(0), blocks = model->config().num_hidden_layers;
    const auto report = [&](int64_t steps) {  // the head counts as one block more
        control.checkpoint();
        if (on_progress) on_progress(static_cast<double>(steps) / static_cast<double>((blocks + 1) * windows));
    };

    at::Tensor hidden = model->embed(ids).clone();
    for (int64_t index = 0; index < blocks; ++index) {
        const auto block = model->load_block(index);
        for (int64_t begin = 0; begin < windows; begin += batch_size) {
            report(index * windows + begin);
            at::Tensor batch = hidden.slice(0, begin, std::min(begin + batch_size, windows));
            batch.copy_(block->forward(batch, {}));
        }
    }
    Perplexity result{windows, options.seq_len};
    for (int64_t window = 0; window < windows; ++window) {
        report(blocks * windows + window);
        result.nll += window_nll(*model, hidden[window], ids[window]) / static_cast<double>(windows);
    }
    if (on_progress) on_progress(1);
    result.perplexity = std::exp(result.nll);
    return result;
}

}  // namespace calibench
