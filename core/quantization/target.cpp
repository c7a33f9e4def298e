#include "core/quantization/target.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

constexpr std::string_view kPatternPrefix = "re:";
// A sane pattern needs a few hundred steps on a module's name; this many take about a millisecond.
constexpr uint32_t kMatchLimit = 100'000;

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* handle) const {
        Free(handle);
    }
};

std::string message_of(int code) {
    PCRE2_UCHAR buffer[256];
    return pcre2_get_error_message(code, buffer, sizeof buffer) > 0 ? reinterpret_cast<const char*>(buffer) : "unknown error";
}

}  // namespace

struct Target::Pattern {
    std::unique_ptr<pcre2_code, Freed<pcre2_code_free>> code;
    std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free>> match_data;
    std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free>> context;
};

Target::Target(std::string text) : text_(std::move(text)) {
    if (text_.rfind(kPatternPrefix, 0) != 0) return;
    const std::string regex = text_.substr(kPatternPrefix.size());
    int code = 0;
    PCRE2_SIZE offset = 0;
    pattern_ = std::make_unique<Pattern>();
    pattern_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()), regex.size(),
                                       PCRE2_ANCHORED | PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &offset, nullptr));
    if (!pattern_->code)
        throw InputError(concat("'", text_, "' is no regular expression: ", message_of(code), " at its character ", offset + 1,
                                " after 're:'"));
    pattern_->match_data.reset(pcre2_match_data_create(1, nullptr));
    pattern_->context.reset(pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(pattern_->context.get(), kMatchLimit);
}

Target::~Target() = default;
Target::Target(Target&&) noexcept = default;
Target& Target::operator=(Target&&) noexcept = default;

Target::Match Target::match(const std::string& module_name, const std::string& class_name) const {
    if (!pattern_) return text_ == module_name ? Match::Name : text_ == class_name ? Match::Class : Match::None;
    const int result = pcre2_match(pattern_->code.get(), reinterpret_cast<PCRE2_SPTR>(module_name.data()), module_name.size(), 0,
                                   0, pattern_->match_data.get(), pattern_->context.get());
    if (result >= 0) return Match::Pattern;
    if (result == PCRE2_ERROR_NOMATCH) return Match::None;
    throw InputError(concat("'", text_, "' takes too long on '", module_name, "' (", message_of(result), "); simplify the pattern"));
}

}  // namespace calibench
