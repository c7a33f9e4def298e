#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/recipe/yaml_tree.h"

namespace calibench {

/// The keys of one YAML map, read by name and type. What is asked for is what may stand there: finish() reports every other
/// key. A value of the wrong type is reported and left at its default. Conversions are those of pydantic's lax mode.
class Fields {
public:
    /// `owner` is the map's name in messages: "AutoRoundModifier", "config group 'attn'".
    Fields(const YamlNode& map, std::string owner, Diagnostics& diagnostics);

    /// The entry, or null when absent. `null` in the text counts as absent for read_optional only.
    const YamlEntry* find(const std::string& name);

    void read(const std::string& name, int64_t& value, int64_t minimum);
    void read(const std::string& name, double& value, double minimum);
    void read(const std::string& name, bool& value);
    void read(const std::string& name, std::optional<int64_t>& value);
    void read(const std::string& name, std::optional<double>& value);
    void read_positive(const std::string& name, std::optional<double>& value);
    void read(const std::string& name, std::optional<std::string>& value);
    /// Also a list of one from plain text where `single_allowed`; the places go to `positions`, parallel to `values`.
    void read(const std::string& name, std::vector<std::string>& values, std::vector<SourcePosition>& positions, bool single_allowed);

    /// Reports the keys that nobody asked for, with the nearest name.
    void finish(Diagnostic::Severity severity = Diagnostic::Severity::Error);

private:
    void wrong(const YamlEntry& entry, const std::string& wanted);

    const YamlNode& map_;
    std::string owner_;
    Diagnostics& diagnostics_;
    std::vector<std::string> known_;
};

/// The texts of a YAML list of texts. Reports what is none and leaves it out.
void read_text_list(const YamlNode& list, const std::string& name, std::vector<std::string>& values,
                    std::vector<SourcePosition>& positions, Diagnostics& diagnostics);

/// "'many'", "a list": what stands there, for messages.
[[nodiscard]] std::string describe(const YamlNode& node);
/// Where to point at for an entry's value: yaml-cpp puts an empty value at whatever follows it.
[[nodiscard]] SourcePosition value_position(const YamlEntry& entry);

}  // namespace calibench
