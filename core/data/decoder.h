#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/data/json_node.h"

namespace calibench {

/// Turns tokens back into text: what is left is joined without a separator.
class Decoder {
public:
    virtual ~Decoder() = default;
    virtual void apply(std::vector<std::string>& tokens) const = 0;
};

/// From the `decoder` of a tokenizer.json; none for null. Throws InputError for a type that is not known.
[[nodiscard]] std::unique_ptr<const Decoder> make_decoder(const JsonNode& node);

}  // namespace calibench
