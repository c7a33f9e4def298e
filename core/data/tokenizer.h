#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calibench {

/// A Hugging Face tokenizer.json: normalizer, pre-tokenizer, BPE, added tokens, post-processor, decoder as the file describes
/// them. Same ids as the `tokenizers` library. Thread-safe once built.
class Tokenizer {
public:
    /// Reads <model_dir>/tokenizer.json. Throws InputError naming the file and the key that is not supported or not valid.
    [[nodiscard]] static Tokenizer open(const std::filesystem::path& model_dir);
    [[nodiscard]] static Tokenizer from_file(const std::filesystem::path& tokenizer_json);

    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;
    ~Tokenizer();

    [[nodiscard]] std::vector<int64_t> encode(std::string_view text, bool add_special_tokens = true) const;
    [[nodiscard]] std::string decode(std::span<const int64_t> ids, bool skip_special_tokens = false) const;
    [[nodiscard]] int64_t vocab_size() const;
    [[nodiscard]] std::optional<std::string> token(int64_t id) const;

private:
    struct Impl;
    std::unique_ptr<const Impl> impl_;
    explicit Tokenizer(std::unique_ptr<const Impl> impl);
};

}  // namespace calibench
