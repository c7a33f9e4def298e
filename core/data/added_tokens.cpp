#include "core/data/added_tokens.h"

#include <algorithm>

#include "core/data/unicode.h"

namespace calibench {

namespace {

/// Whether [begin, end) stands on its own: no word character right before it or right after it.
bool stands_alone(std::string_view text, size_t begin, size_t end) {
    const bool left = begin == 0 || !is_word_character(last_code_point(text.substr(0, begin)));
    const bool right = end == text.size() || !is_word_character(code_point_at(text, end).value);
    return left && right;
}

size_t space_before(std::string_view text, size_t end) {
    while (end > 0) {
        size_t at = end - 1;
        while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
            --at;
        if (!is_white_space(code_point_at(text, at).value))
            break;
        end = at;
    }
    return end;
}

size_t space_after(std::string_view text, size_t begin) {
    while (begin < text.size() && is_white_space(code_point_at(text, begin).value))
        begin += code_point_at(text, begin).length;
    return begin;
}

}  // namespace

void AddedTokens::Matcher::add(std::string_view token, int64_t id) {
    Node node = 0;
    for (const char byte : token) {
        const auto [found, fresh] = edges_.try_emplace(edge(node, byte), nodes_);
        nodes_ += fresh ? 1 : 0;
        node = found->second;
    }
    ids_[node] = id;
}

std::optional<AddedTokens::Matcher::Match> AddedTokens::Matcher::find(std::string_view text, size_t from) const {
    if (edges_.empty())
        return std::nullopt;
    for (size_t begin = from; begin < text.size(); ++begin) {
        std::optional<Match> longest;
        Node node = 0;
        for (size_t at = begin; at < text.size(); ++at) {
            const auto next = edges_.find(edge(node, text[at]));
            if (next == edges_.end())
                break;
            node = next->second;
            if (const auto id = ids_.find(node); id != ids_.end())
                longest = Match{begin, at + 1, id->second};
        }
        if (longest)
            return longest;
    }
    return std::nullopt;
}

AddedTokens::AddedTokens(const std::vector<JsonNode>& list, const Bpe& bpe, const Normalizer* normalizer) {
    StringMap<int64_t> ids;
    int64_t next_id = bpe.size();
    for (const JsonNode& item : list) {
        Token token;
        token.content = item.at("content").string();
        if (token.content.empty())
            continue;
        token.single_word = item.boolean_or("single_word", false);
        token.left_strip = item.boolean_or("lstrip", false);
        token.right_strip = item.boolean_or("rstrip", false);
        const bool special = item.boolean_or("special", false);
        const bool is_normalized = item.boolean_or("normalized", !special);
        if (special)
            special_.insert(token.content);
        const auto seen = ids.find(token.content);
        const auto known = seen != ids.end() ? std::optional(seen->second) : bpe.id(token.content);
        const int64_t id = known ? *known : next_id++;
        ids[token.content] = id;
        if (is_normalized && normalizer != nullptr)
            normalizer->apply(token.content);
        if (!token.content.empty())
            (is_normalized ? normalized_ : as_written_).add(token.content, id);
        tokens_[id] = std::move(token);
    }
}

const std::string* AddedTokens::token(int64_t id) const {
    const auto found = tokens_.find(id);
    return found == tokens_.end() ? nullptr : &found->second.content;
}

std::vector<Piece> AddedTokens::extract(std::string_view text, const Normalizer* normalizer) const {
    std::vector<Piece> rough;
    cut({std::string(text), {}, true}, as_written_, rough);
    std::vector<Piece> pieces;
    for (Piece& piece : rough) {
        if (piece.added_token) {
            pieces.push_back(std::move(piece));
            continue;
        }
        if (normalizer != nullptr)
            normalizer->apply(piece.text);
        cut(piece, normalized_, pieces);
    }
    return pieces;
}

void AddedTokens::cut(const Piece& piece, const Matcher& matcher, std::vector<Piece>& out) const {
    const std::string_view text = piece.text;
    size_t done = 0;
    const auto append = [&](size_t begin, size_t end, std::optional<int64_t> id) {
        if (begin < end)
            out.push_back({std::string(text.substr(begin, end - begin)), id, piece.at_start && begin == 0});
    };
    size_t from = 0;
    while (const auto match = matcher.find(text, from)) {
        from = match->end;
        const Token& token = tokens_.at(match->id);
        if (token.single_word && !stands_alone(text, match->begin, match->end))
            continue;
        // The token before may have taken the space already.
        const size_t begin = token.left_strip ? std::max(space_before(text, match->begin), done) : match->begin;
        const size_t end = token.right_strip ? space_after(text, match->end) : match->end;
        append(done, begin, std::nullopt);
        append(begin, end, match->id);
        done = end;
    }
    append(done, text.size(), std::nullopt);
}

}  // namespace calibench
