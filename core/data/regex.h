#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace calibench {

/// A regular expression over UTF-8 text, written as tokenizer.json writes it: in Oniguruma's syntax, which is translated to
/// PCRE2's where the two read the same characters differently. Any number of threads may search with one object.
class Regex {
public:
    /// Throws InputError with the pattern and what is wrong with it.
    explicit Regex(std::string_view oniguruma_pattern);

    struct Match {
        size_t begin = 0;
        size_t end = 0;
    };

    /// The first match that begins at or after byte `from`. The text must be well-formed UTF-8.
    [[nodiscard]] std::optional<Match> find(std::string_view text, size_t from) const;

private:
    std::string pattern_;
    std::shared_ptr<const void> code_;  // a pcre2_code
};

/// The same pattern for PCRE2 (options UTF, UCP, MULTILINE; newline LF). Throws InputError for what PCRE2 10.42 cannot say:
/// classes within classes and their intersections, \W and \H within a class, a possessive-looking interval.
[[nodiscard]] std::string oniguruma_to_pcre2(std::string_view pattern);

}  // namespace calibench
