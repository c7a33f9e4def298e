#include "core/calibration/tied_embeddings.h"

#include "core/observers/registry.h"

namespace calibench {

bool embeddings_stay_tied(const QuantizationScheme* embedding, const QuantizationScheme* head) {
    if (!embedding && !head) return true;
    if (!embedding || !head || embedding->weights != head->weights || !head->weights) return false;
    if (head->input_activations || head->output_activations || infer_format(*embedding) != infer_format(*head)) return false;
    // A weight that is rounded with an eye on its inputs comes out differently where there are none.
    const QuantizationArgs& args = *head->weights;
    const std::string observer = weight_observer_name(args.observer.value_or("memoryless_minmax"));
    return !make_observer(observer, "weight", args)->wants_inputs();
}

}  // namespace calibench
