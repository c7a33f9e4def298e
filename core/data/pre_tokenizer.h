#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/json_node.h"

namespace calibench {

/// A part of the text on its way to the model. Never empty.
struct Piece {
    std::string text;
    std::optional<int64_t> added_token;  ///< when set, this is an added token: nothing touches it any more
    bool at_start = false;               ///< it begins where the whole text begins
};

/// The second stage of a tokenizer: splits the text into words, which the model never merges over.
class PreTokenizer {
public:
    virtual ~PreTokenizer() = default;
    virtual void apply(std::vector<Piece>& pieces) const = 0;
};

/// From the `pre_tokenizer` of a tokenizer.json; none for null. Throws InputError for a type that is not known.
[[nodiscard]] std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const JsonNode& node);

}  // namespace calibench
