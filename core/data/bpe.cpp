#include "core/data/bpe.h"

#include <algorithm>
#include <array>
#include <queue>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/unicode.h"

namespace calibench {

namespace {

// As many words, of at most this length, are remembered: enough for any language, bounded for any input.
constexpr size_t most_words = 100'000;
constexpr size_t longest_word = 256;

uint64_t pair_key(int64_t left, int64_t right) {
    return (static_cast<uint64_t>(left) << 32) | static_cast<uint64_t>(right);
}

/// "a b" or ["a", "b"].
std::pair<std::string, std::string> merge_parts(const JsonNode& merge) {
    if (merge.value().is_array()) {
        const auto parts = merge.items();
        if (parts.size() == 2)
            return {parts[0].string(), parts[1].string()};
    } else {
        const std::string both = merge.string();
        const size_t space = both.find(' ');
        if (space != std::string::npos && both.find(' ', space + 1) == std::string::npos)
            return {both.substr(0, space), both.substr(space + 1)};
    }
    merge.fail("must be two tokens: \"a b\" or [\"a\", \"b\"].");
}

}  // namespace

/// A token of the word being merged; they form a list, so that a merge is done in constant time.
struct Bpe::Symbol {
    int64_t id = 0;
    ptrdiff_t previous = -1;
    ptrdiff_t next = -1;
    bool removed = false;
};

/// A merge that was possible at `position` when it was queued.
struct Bpe::Candidate {
    int64_t rank = 0;
    ptrdiff_t position = 0;
    int64_t id = 0;

    bool operator>(const Candidate& other) const {
        return rank != other.rank ? rank > other.rank : position > other.position;
    }
};

Bpe::Bpe(const JsonNode& model) {
    if (const std::string type = model.string_or("type", "BPE"); type != "BPE")
        model.at("type").fail(concat("is \"", type, "\": Calibench reads BPE tokenizers only."));
    if (model.has("dropout") && model.at("dropout").value() != 0)
        model.at("dropout").fail("must be null: with dropout the same text has other tokens each time.");
    unknown_token_ = model.string_or("unk_token", "");
    continuing_prefix_ = model.string_or("continuing_subword_prefix", "");
    end_suffix_ = model.string_or("end_of_word_suffix", "");
    fuse_unknown_ = model.boolean_or("fuse_unk", false);
    byte_fallback_ = model.boolean_or("byte_fallback", false);
    ignore_merges_ = model.boolean_or("ignore_merges", false);
    read_vocabulary(model.at("vocab"));
    read_merges(model.at("merges"));
}

void Bpe::read_vocabulary(const JsonNode& vocab) {
    if (!vocab.value().is_object())
        vocab.fail("must map tokens to ids.");
    ids_.reserve(vocab.value().size());
    tokens_.reserve(vocab.value().size());
    for (const auto& [token, value] : vocab.value().items()) {
        if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX)
            vocab.fail(concat("gives the token \"", token, "\" an id that is not a whole number from 0 to 2147483647."));
        const auto id = value.get<int64_t>();
        tokens_[id] = &ids_.emplace(token, id).first->first;
        largest_id_ = std::max(largest_id_, id);
    }
}

void Bpe::read_merges(const JsonNode& merges) {
    const auto known = [this](const JsonNode& merge, const std::string& token) {
        const auto found = id(token);
        if (!found)
            merge.fail(concat("needs the token \"", token, "\", which is not in model.vocab."));
        return *found;
    };
    const auto items = merges.items();
    merges_.reserve(items.size());
    int64_t rank = 0;
    for (const JsonNode& item : items) {
        if (item.value().is_string() && item.value().get_ref<const std::string&>().starts_with("#version"))
            continue;
        const auto [left, right] = merge_parts(item);
        const size_t skipped = std::min(continuing_prefix_.size(), right.size());
        const uint64_t key = pair_key(known(item, left), known(item, right));
        merges_[key] = {rank++, known(item, left + right.substr(skipped))};
    }
}

std::optional<int64_t> Bpe::id(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Bpe::token(int64_t id) const {
    const auto found = tokens_.find(id);
    return found == tokens_.end() ? nullptr : found->second;
}

const Bpe::Merge* Bpe::find_merge(int64_t left, int64_t right) const {
    const auto found = merges_.find(pair_key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
}

int64_t Bpe::unknown_id() const {
    const auto found = id(unknown_token_);
    if (!found)
        throw InputError(concat("The tokenizer's unknown token \"", unknown_token_,
                                "\" is not in its vocabulary, so this text cannot be encoded: set model.unk_token."));
    return *found;
}

/// One token for each byte, when the vocabulary has them all: <0x00> to <0xFF>.
bool Bpe::append_bytes(std::string_view text, std::vector<Symbol>& symbols) const {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::vector<int64_t> bytes;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const std::array<char, 6> name = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
        const auto found = id({name.data(), name.size()});
        if (!found)
            return false;
        bytes.push_back(*found);
    }
    for (const int64_t byte : bytes)
        symbols.push_back({byte});
    return true;
}

/// The word's characters as tokens, before any merge. What the vocabulary lacks becomes bytes, the unknown token, or nothing.
std::vector<Bpe::Symbol> Bpe::symbols(std::string_view word) const {
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    std::string affixed;
    bool unknown = false;  // held back: further unknown characters may join it
    const auto flush_unknown = [&] {
        if (unknown)
            symbols.push_back({unknown_id()});
        unknown = false;
    };
    for (size_t at = 0; at < word.size();) {
        const size_t length = code_point_at(word, at).length;
        std::string_view character = word.substr(at, length);
        const bool last = at + length == word.size();
        if ((at > 0 && !continuing_prefix_.empty()) || (last && !end_suffix_.empty())) {
            affixed = concat(at > 0 ? continuing_prefix_ : "", character, last ? end_suffix_ : "");
            character = affixed;
        }
        at += length;
        if (const auto known = id(character)) {
            flush_unknown();
            symbols.push_back({*known});
        } else if (byte_fallback_ && append_bytes(character, symbols)) {
            continue;
        } else if (!unknown_token_.empty()) {
            if (!fuse_unknown_)
                flush_unknown();
            unknown = true;
        }
    }
    flush_unknown();
    for (size_t i = 0; i < symbols.size(); ++i) {
        symbols[i].previous = static_cast<ptrdiff_t>(i) - 1;
        symbols[i].next = i + 1 < symbols.size() ? static_cast<ptrdiff_t>(i) + 1 : -1;
    }
    return symbols;
}

/// Merges the pair of the lowest rank, the leftmost of equals, until none is left.
void Bpe::merge_all(std::vector<Symbol>& symbols) const {
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto at = [&](ptrdiff_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };
    const auto enqueue = [&](ptrdiff_t left) {
        if (left < 0 || at(left).next < 0)
            return;
        if (const Merge* merge = find_merge(at(left).id, at(at(left).next).id))
            queue.push({merge->rank, left, merge->id});
    };
    for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(symbols.size()); ++i)
        enqueue(i);
    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        Symbol& left = at(best.position);
        if (left.removed || left.next < 0)
            continue;
        Symbol& right = at(left.next);
        // What stood here when this was queued may have been merged with something else since.
        const Merge* merge = find_merge(left.id, right.id);
        if (merge == nullptr || merge->id != best.id)
            continue;
        left.id = best.id;
        left.next = right.next;
        right.removed = true;
        if (left.next >= 0)
            at(left.next).previous = best.position;
        enqueue(left.previous);
        enqueue(best.position);
    }
}

void Bpe::encode(std::string_view word, std::vector<int64_t>& ids) const {
    if (ignore_merges_) {
        if (const auto whole = id(word)) {
            ids.push_back(*whole);
            return;
        }
    }
    std::vector<Symbol> merged = symbols(word);
    merge_all(merged);
    for (const Symbol& symbol : merged)
        if (!symbol.removed)
            ids.push_back(symbol.id);
}

Bpe::WordEncoder::WordEncoder(const Bpe& bpe)
    : bpe_(bpe), lock_(bpe.words_mutex_, std::try_to_lock), words_(lock_ ? bpe.words_ : own_words_) {}

void Bpe::WordEncoder::append(std::string_view word, std::vector<int64_t>& ids) {
    if (const auto seen = words_.find(word); seen != words_.end()) {
        ids.insert(ids.end(), seen->second.begin(), seen->second.end());
        return;
    }
    const size_t before = ids.size();
    bpe_.encode(word, ids);
    if (word.size() <= longest_word && words_.size() < most_words)
        words_.emplace(word, std::vector<int64_t>(ids.begin() + static_cast<ptrdiff_t>(before), ids.end()));
}

}  // namespace calibench
