#include "core/data/tokenizer.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/added_tokens.h"
#include "core/data/bpe.h"
#include "core/data/decoder.h"
#include "core/data/normalizer.h"
#include "core/data/post_processor.h"
#include "core/data/pre_tokenizer.h"
#include "core/data/unicode.h"

namespace calibench {

namespace {

/// `make(value of the key)`; where a file leaves the key out, as where it says null, there is no such stage.
template <typename Make>
auto make_stage(const JsonNode& root, const char* key, Make make) -> decltype(make(root)) {
    if (!root.has(key))
        return nullptr;
    return make(root.at(key));
}

std::vector<JsonNode> added_token_list(const JsonNode& root) {
    return root.has("added_tokens") ? root.at("added_tokens").items() : std::vector<JsonNode>{};
}

}  // namespace

/// `truncation` and `padding` are not read: they are settings of whoever saved the file, not of the tokenizer.
struct Tokenizer::Impl {
    explicit Impl(const JsonNode& root)
        : bpe(root.at("model")),
          normalizer(make_stage(root, "normalizer", make_normalizer)),
          pre_tokenizer(make_stage(root, "pre_tokenizer", make_pre_tokenizer)),
          post_processor(make_stage(root, "post_processor", make_post_processor)),
          decoder(make_stage(root, "decoder", make_decoder)),
          added_tokens(added_token_list(root), bpe, normalizer.get()) {}

    const std::string* token(int64_t id) const {
        const std::string* added = added_tokens.token(id);
        return added != nullptr ? added : bpe.token(id);
    }

    Bpe bpe;
    std::unique_ptr<const Normalizer> normalizer;
    std::unique_ptr<const PreTokenizer> pre_tokenizer;
    std::unique_ptr<const PostProcessor> post_processor;
    std::unique_ptr<const Decoder> decoder;
    AddedTokens added_tokens;
};

Tokenizer Tokenizer::open(const std::filesystem::path& model_dir) { return from_file(model_dir / "tokenizer.json"); }

Tokenizer Tokenizer::from_file(const std::filesystem::path& tokenizer_json) {
    const std::string file_name = tokenizer_json.string();
    const nlohmann::json document = read_json_file(file_name);
    return Tokenizer(std::make_unique<const Impl>(JsonNode(document, file_name)));
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<int64_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
    if (const auto offset = find_invalid_utf8(text))
        throw InputError(concat("The text is not UTF-8: byte ", *offset, " does not belong there."));
    std::vector<Piece> pieces = impl_->added_tokens.extract(text, impl_->normalizer.get());
    if (impl_->pre_tokenizer)
        impl_->pre_tokenizer->apply(pieces);
    std::vector<int64_t> ids;
    Bpe::WordEncoder words(impl_->bpe);
    for (const Piece& piece : pieces) {
        if (piece.added_token)
            ids.push_back(*piece.added_token);
        else
            words.append(piece.text, ids);
    }
    if (add_special_tokens && impl_->post_processor)
        impl_->post_processor->apply(ids);
    return ids;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const int64_t id : ids) {
        const std::string* token = impl_->token(id);
        if (token != nullptr && !(skip_special_tokens && impl_->added_tokens.is_special(*token)))
            tokens.push_back(*token);
    }
    if (impl_->decoder)
        impl_->decoder->apply(tokens);
    std::string text;
    for (const std::string& token : tokens) {
        if (!impl_->decoder && &token != &tokens.front())
            text += ' ';
        text += token;
    }
    return text;
}

int64_t Tokenizer::vocab_size() const {
    return 1 + std::max(impl_->bpe.largest_id(), impl_->added_tokens.largest_id());
}

std::optional<std::string> Tokenizer::token(int64_t id) const {
    const std::string* token = impl_->token(id);
    return token == nullptr ? std::nullopt : std::optional(*token);
}

}  // namespace calibench
