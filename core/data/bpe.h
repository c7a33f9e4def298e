#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/data/json_node.h"

namespace calibench {

struct StringHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <typename Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

/// Byte-pair encoding (Sennrich et al., 2016) with the options of tokenizer.json: byte_fallback, fuse_unk, ignore_merges, prefix and
/// suffix of subwords. Thread-safe.
class Bpe {
public:
    /// From the `model` of a tokenizer.json. Throws InputError naming the key that is not valid.
    explicit Bpe(const JsonNode& model);

    [[nodiscard]] std::optional<int64_t> id(std::string_view token) const;
    [[nodiscard]] const std::string* token(int64_t id) const;  ///< null when there is none
    [[nodiscard]] int64_t size() const { return static_cast<int64_t>(ids_.size()); }
    [[nodiscard]] int64_t largest_id() const { return largest_id_; }

    /// Encodes words one by one and remembers those it has seen. Hold one while encoding a text, no longer: the shared memory of
    /// words belongs to one encoder at a time, another thread's encoder starts with an empty one.
    class WordEncoder {
    public:
        explicit WordEncoder(const Bpe& bpe);
        void append(std::string_view word, std::vector<int64_t>& ids);

    private:
        const Bpe& bpe_;
        std::unique_lock<std::mutex> lock_;
        StringMap<std::vector<int64_t>> own_words_;
        StringMap<std::vector<int64_t>>& words_;
    };

private:
    struct Merge {
        int64_t rank = 0;
        int64_t id = 0;
    };
    struct Symbol;
    struct Candidate;

    void read_vocabulary(const JsonNode& vocab);
    void read_merges(const JsonNode& merges);
    void encode(std::string_view word, std::vector<int64_t>& ids) const;
    [[nodiscard]] std::vector<Symbol> symbols(std::string_view word) const;
    void merge_all(std::vector<Symbol>& symbols) const;
    [[nodiscard]] bool append_bytes(std::string_view text, std::vector<Symbol>& symbols) const;
    [[nodiscard]] int64_t unknown_id() const;
    [[nodiscard]] const Merge* find_merge(int64_t left, int64_t right) const;

    StringMap<int64_t> ids_;
    std::unordered_map<int64_t, const std::string*> tokens_;  // the keys of ids_
    struct PairHash {
        size_t operator()(uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> 17; }
    };
    std::unordered_map<uint64_t, Merge, PairHash> merges_;
    int64_t largest_id_ = -1;
    std::string unknown_token_;
    std::string continuing_prefix_;
    std::string end_suffix_;
    bool fuse_unknown_ = false;
    bool byte_fallback_ = false;
    bool ignore_merges_ = false;

    mutable std::mutex words_mutex_;
    mutable StringMap<std::vector<int64_t>> words_;  // guarded by words_mutex_
};

}  // namespace calibench
