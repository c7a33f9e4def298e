#pragma once

#include <memory>
#include <string>

#include "core/data/json_node.h"

namespace calibench {

/// The first stage of a tokenizer: rewrites text before it is split.
class Normalizer {
public:
    virtual ~Normalizer() = default;
    virtual void apply(std::string& text) const = 0;
};

/// From the `normalizer` of a tokenizer.json; none for null. Throws InputError for a type that is not known.
[[nodiscard]] std::unique_ptr<const Normalizer> make_normalizer(const JsonNode& node);

}  // namespace calibench
