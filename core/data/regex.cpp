#include "core/data/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

template <typename T, void (*release)(T*)>
struct Release {
    void operator()(T* object) const { release(object); }
};
template <typename T, void (*release)(T*)>
using Owned = std::unique_ptr<T, Release<T, release>>;

using CompileContext = Owned<pcre2_compile_context, pcre2_compile_context_free>;
using MatchContext = Owned<pcre2_match_context, pcre2_match_context_free>;
using MatchData = Owned<pcre2_match_data, pcre2_match_data_free>;
using JitStack = Owned<pcre2_jit_stack, pcre2_jit_stack_free>;

/// What a search writes to. One for each thread serves all patterns: only the bounds of the whole match are read.
struct Scratch {
    Scratch() { pcre2_jit_stack_assign(context.get(), nullptr, stack.get()); }

    MatchData data{pcre2_match_data_create(1, nullptr)};
    MatchContext context{pcre2_match_context_create(nullptr)};
    // A pattern that backtracks over groups needs stack in proportion to the text; pages are taken as they are used.
    JitStack stack{pcre2_jit_stack_create(32 * 1024, 64 * 1024 * 1024, nullptr)};
};

std::string error_text(int code) {
    PCRE2_UCHAR buffer[256] = {};
    pcre2_get_error_message(code, buffer, sizeof buffer);
    return reinterpret_cast<const char*>(buffer);
}

}  // namespace

Regex::Regex(std::string_view oniguruma_pattern) : pattern_(oniguruma_pattern) {
    const std::string pattern = oniguruma_to_pcre2(oniguruma_pattern);
    const CompileContext context{pcre2_compile_context_create(nullptr)};
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    // Ruby's ^ and $, and so Oniguruma's, look at lines.
    constexpr uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error,
                                     &offset, context.get());
    if (code == nullptr)
        throw InputError(concat("holds the regular expression ", pattern_, ", which is not valid: ", error_text(error), "."));
    code_ = std::shared_ptr<const void>(code, [code](const void*) { pcre2_code_free(code); });
    // Where there is no compiler for this processor, or no executable memory, the interpreter finds the same matches.
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

std::optional<Regex::Match> Regex::find(std::string_view text, size_t from) const {
    thread_local Scratch scratch;
    const int found = pcre2_match(static_cast<const pcre2_code*>(code_.get()), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), from, PCRE2_NO_UTF_CHECK, scratch.data.get(), scratch.context.get());
    if (found == PCRE2_ERROR_NOMATCH)
        return std::nullopt;
    if (found < 0)
        throw RunError(concat("The tokenizer's regular expression ", pattern_, " gave up on this text: ", error_text(found), "."));
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(scratch.data.get());
    return Match{bounds[0], bounds[1]};
}

}  // namespace calibench
