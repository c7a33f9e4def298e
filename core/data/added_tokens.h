#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/data/bpe.h"
#include "core/data/json_node.h"
#include "core/data/normalizer.h"
#include "core/data/pre_tokenizer.h"

namespace calibench {

/// Tokens that are found in the text as they are, before the model sees it: <|im_start|>, <s>, <tool_call>.
class AddedTokens {
public:
    /// From the `added_tokens` of a tokenizer.json. One that the model's vocabulary has keeps that id; others are numbered on
    /// from the vocabulary's end in the order of the list, whatever ids they claim, as the tokenizers library does.
    AddedTokens(const std::vector<JsonNode>& list, const Bpe& bpe, const Normalizer* normalizer);

    /// Cuts the added tokens out of the text and normalizes what is between them.
    [[nodiscard]] std::vector<Piece> extract(std::string_view text, const Normalizer* normalizer) const;

    [[nodiscard]] const std::string* token(int64_t id) const;  ///< as it is decoded; null when there is none
    [[nodiscard]] bool is_special(const std::string& token) const { return special_.count(token) != 0; }
    [[nodiscard]] int64_t largest_id() const { return tokens_.empty() ? -1 : tokens_.rbegin()->first; }

private:
    struct Token {
        std::string content;
        bool single_word = false;
        bool left_strip = false;
        bool right_strip = false;
    };

    /// A trie over bytes that finds the longest token beginning at a place.
    class Matcher {
    public:
        void add(std::string_view token, int64_t id);
        struct Match {
            size_t begin = 0;
            size_t end = 0;
            int64_t id = 0;
        };
        [[nodiscard]] std::optional<Match> find(std::string_view text, size_t from) const;

    private:
        using Node = uint32_t;
        static uint64_t edge(Node node, char byte) { return (uint64_t{node} << 8) | static_cast<unsigned char>(byte); }

        std::unordered_map<uint64_t, Node> edges_;
        std::unordered_map<Node, int64_t> ids_;
        Node nodes_ = 1;  // 0 is the root
    };

    void cut(const Piece& piece, const Matcher& matcher, std::vector<Piece>& out) const;

    std::map<int64_t, Token> tokens_;
    std::set<std::string> special_;
    Matcher as_written_;
    Matcher normalized_;
};

}  // namespace calibench
