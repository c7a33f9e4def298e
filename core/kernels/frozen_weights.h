#pragma once

namespace calibench {

/// While one lives, no weight that this thread multiplies with changes in place: what the kernels rearrange of it they keep for the next
/// product. At the end it is forgotten.
class FrozenWeights {
public:
    FrozenWeights();
    ~FrozenWeights();
    FrozenWeights(const FrozenWeights&) = delete;
    FrozenWeights& operator=(const FrozenWeights&) = delete;
};

}  // namespace calibench
