#pragma once

#include <memory>
#include <string>

namespace calibench {

/// One entry of `targets` or `ignore`, ready to be held against many modules (compressed_tensors/utils/match.py): a module's
/// full name, a class name, or "re:" and a pattern that must match from the name's start, as Python's re.match.
class Target {
public:
    enum class Match { None, Class, Pattern, Name };  ///< weakest first: the stronger match decides a module's scheme

    /// Throws InputError when the pattern is no regular expression.
    explicit Target(std::string text);
    ~Target();
    Target(Target&&) noexcept;
    Target& operator=(Target&&) noexcept;

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] bool is_pattern() const { return pattern_ != nullptr; }
    /// Throws InputError when the pattern backtracks without end on this name.
    [[nodiscard]] Match match(const std::string& module_name, const std::string& class_name) const;

private:
    struct Pattern;
    std::string text_;
    std::unique_ptr<Pattern> pattern_;
};

}  // namespace calibench
