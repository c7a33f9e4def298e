#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace calibench {

/// `text` as it may stand in an element or between the quotes of an attribute; bytes that XML cannot hold become U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

/// As many digits behind the point, for columns of numbers: "12.50".
[[nodiscard]] std::string fixed(double value, int digits = 2);
/// Up to `digits` digits behind the point and no zeros at the end: "12.5", "-3".
[[nodiscard]] std::string decimal(double value, int digits = 2);

/// Writes elements that are closed in the order in which they were opened, as both XML and HTML want them.
class Markup {
public:
    /// One with an empty value is left out.
    struct Attribute {
        Attribute(std::string_view name, std::string_view value) : name(name), value(value) {}
        Attribute(std::string_view name, double value) : name(name), value(decimal(value)) {}
        std::string name, value;
    };
    using Attributes = std::initializer_list<Attribute>;

    void open(std::string_view name, Attributes attributes = {});
    void close();
    void text(std::string_view text) { out_ += escaped(text); }
    void break_line() { out_ += '\n'; }
    /// Already markup, by another Markup's take().
    void insert(std::string_view markup) { out_ += markup; }

    /// <name ...>text</name>
    void element(std::string_view name, Attributes attributes, std::string_view text);
    void element(std::string_view name, std::string_view text) { element(name, {}, text); }
    /// <name .../>, for what never has content.
    void empty(std::string_view name, Attributes attributes);

    /// All of it, every element closed.
    [[nodiscard]] std::string take();

private:
    void begin(std::string_view name, Attributes attributes);

    std::string out_;
    std::vector<std::string> open_;
};

/// Opens an element and closes it at the end of the scope.
class Within {
public:
    Within(Markup& markup, std::string_view name, Markup::Attributes attributes = {}) : markup_(markup) { markup_.open(name, attributes); }
    ~Within() { markup_.close(); }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

private:
    Markup& markup_;
};

}  // namespace calibench
