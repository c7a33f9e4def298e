#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/data/json_node.h"

namespace calibench {

/// The last stage of encoding: puts special tokens around the text's own.
class PostProcessor {
public:
    virtual ~PostProcessor() = default;
    virtual void apply(std::vector<int64_t>& ids) const = 0;
};

/// From the `post_processor` of a tokenizer.json; none for null. Throws InputError for a type that is not known.
[[nodiscard]] std::unique_ptr<const PostProcessor> make_post_processor(const JsonNode& node);

}  // namespace calibench
