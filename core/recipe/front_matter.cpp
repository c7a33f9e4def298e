#include "core/recipe/front_matter.h"

#include <sstream>

#include "core/base/text.h"

namespace calibench {

namespace {

std::string trimmed(const std::string& line) {
    const size_t begin = line.find_first_not_of(" \t\r");
    return begin == std::string::npos ? "" : line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

}  // namespace

std::string front_matter(const std::string& text, Diagnostics& diagnostics) {
    std::istringstream lines(text);
    std::string delimiter, matter;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        const std::string word = trimmed(line);
        if (delimiter.empty()) {
            if (word == "---" || word == "+++") delimiter = word;
            else if (!word.empty() && word[0] != '#') return text;  // a Markdown title and a YAML comment look alike
            matter += std::string(line.size(), ' ') + '\n';
        } else if (word == delimiter) {
            std::string rest;
            while (std::getline(lines, line)) rest += trimmed(line);
            if (!rest.empty())
                diagnostics.note({number, 1}, concat("the text below this ", delimiter, " is not part of the recipe"));
            return matter;
        } else {
            matter += line + '\n';
        }
    }
    if (delimiter == "+++") diagnostics.error({1, 1}, "the front matter opened by +++ is not closed by another +++");
    return delimiter == "+++" ? matter : text;
}

}  // namespace calibench
