#include <algorithm>
#include <cctype>

#include <unicode/uchar.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/regex.h"

namespace calibench {

namespace {

// Oniguruma's \w; the last six are superscripts and fractions of Latin-1, which it counts as well.
constexpr std::string_view word_items = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";
constexpr std::string_view hex_digit_items = "0-9A-Fa-f";

class Translator {
public:
    explicit Translator(std::string_view pattern) : pattern_(pattern) {}

    std::string translate() {
        while (at_ < pattern_.size())
            step();
        return std::move(out_);
    }

private:
    void step() {
        const char c = pattern_[at_];
        if (c == '\\') {
            escape();
        } else if (in_class_) {
            class_item(c);
        } else if (c == '[') {
            open_class();
        } else if (c == '(') {
            group();
        } else if (c == '{') {
            interval();
        } else {
            copy(1);
        }
    }

    void escape() {
        if (at_ + 1 >= pattern_.size())
            refuse("it ends with a backslash");
        switch (pattern_[at_ + 1]) {
            // PCRE2's own \s holds U+180E, which has not been white space since Unicode 6.3.
            case 's': return replace(2, R"(\p{White_Space})");
            case 'S': return replace(2, R"(\P{White_Space})");
            case 'w': return character_class(word_items, false);
            case 'W': return character_class(word_items, true);
            case 'h': return character_class(hex_digit_items, false);
            case 'H': return character_class(hex_digit_items, true);
            case 'u': return hexadecimal();
            case 'p':
            case 'P': return property();
            default: return copy(2);
        }
    }

    void character_class(std::string_view items, bool negated) {
        if (in_class_ && negated)
            refuse(concat("\\", pattern_[at_ + 1], " inside a character class is not supported"));
        at_ += 2;
        if (in_class_)
            out_ += items;
        else
            out_ += concat(negated ? "[^" : "[", items, "]");
    }

    void hexadecimal() {
        for (size_t i = 2; i < 6; ++i)
            if (at_ + i >= pattern_.size() || !std::isxdigit(static_cast<unsigned char>(pattern_[at_ + i])))
                refuse("\\u needs four hexadecimal digits");
        out_ += concat("\\x{", pattern_.substr(at_ + 2, 4), "}");
        at_ += 6;
    }

    /// \p{Letter} and \p{Han}: PCRE2 knows the short names of categories only, and takes a script for its extensions.
    void property() {
        const size_t close = pattern_.find('}', at_);
        if (at_ + 2 >= pattern_.size() || pattern_[at_ + 2] != '{' || close == std::string_view::npos)
            return copy(2);
        std::string name(pattern_.substr(at_ + 3, close - at_ - 3));
        const bool negated = name.starts_with('^');
        if (negated)
            name.erase(0, 1);
        const int32_t category = u_getPropertyValueEnum(UCHAR_GENERAL_CATEGORY_MASK, name.c_str());
        const int32_t script = u_getPropertyValueEnum(UCHAR_SCRIPT, name.c_str());
        if (category != UCHAR_INVALID_CODE)
            name = u_getPropertyValueName(UCHAR_GENERAL_CATEGORY_MASK, category, U_SHORT_PROPERTY_NAME);
        else if (script != UCHAR_INVALID_CODE)
            name = concat("sc:", u_getPropertyValueName(UCHAR_SCRIPT, script, U_LONG_PROPERTY_NAME));
        out_ += concat("\\", pattern_[at_ + 1], "{", negated ? "^" : "", name, "}");
        at_ = close + 1;
    }

    void open_class() {
        in_class_ = true;
        copy(1);
        if (at_ < pattern_.size() && pattern_[at_] == '^')
            copy(1);
        if (at_ < pattern_.size() && pattern_[at_] == ']')
            copy(1);  // first in its class, a bracket is a character
    }

    void class_item(char c) {
        if (pattern_.substr(at_).starts_with("[:")) {
            const size_t close = pattern_.find(":]", at_);
            return copy(close == std::string_view::npos ? 2 : close + 2 - at_);
        }
        if (c == '[')
            refuse("a character class within a character class is not supported");
        if (pattern_.substr(at_).starts_with("&&"))
            refuse("an intersection of character classes is not supported");
        in_class_ = c != ']';
        copy(1);
    }

    /// "(?m" lets the dot match a newline in Oniguruma; elsewhere that is "(?s".
    void group() {
        copy(1);
        if (at_ >= pattern_.size() || pattern_[at_] != '?')
            return;
        copy(1);
        while (at_ < pattern_.size() && std::string_view("imx-").find(pattern_[at_]) != std::string_view::npos) {
            out_ += pattern_[at_] == 'm' ? 's' : pattern_[at_];
            ++at_;
        }
    }

    void interval() {
        size_t end = at_ + 1;
        while (end < pattern_.size() && (std::isdigit(static_cast<unsigned char>(pattern_[end])) || pattern_[end] == ','))
            ++end;
        const bool is_interval = end > at_ + 1 && end < pattern_.size() && pattern_[end] == '}';
        if (!is_interval)
            return copy(1);
        // To Oniguruma this repeats the interval, to PCRE2 it makes it possessive.
        if (end + 1 < pattern_.size() && pattern_[end + 1] == '+')
            refuse("an interval followed by + is not supported");
        if (pattern_[at_ + 1] == ',')
            replace(1, "{0");
        copy(end + 1 - at_);
    }

    void copy(size_t count) {
        count = std::min(count, pattern_.size() - at_);
        out_ += pattern_.substr(at_, count);
        at_ += count;
    }

    void replace(size_t count, std::string_view by) {
        out_ += by;
        at_ += count;
    }

    [[noreturn]] void refuse(std::string_view why) const {
        throw InputError(concat("holds the regular expression ", pattern_, ", which cannot be used: ", why, "."));
    }

    std::string_view pattern_;
    std::string out_;
    size_t at_ = 0;
    bool in_class_ = false;
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern) { return Translator(pattern).translate(); }

}  // namespace calibench
