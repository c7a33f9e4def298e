#pragma once

#include <QString>

#include <vector>

#include "ui/core_services.h"

namespace calibench {

/// How single values are stored: as integers of so many bits, or as one of the float formats that have a preset.
struct ValueFormat {
    QString name;            ///< "4 bits", "NVFP4"
    QuantizationArgs usual;  ///< what it comes with: groups or a scale per channel, dtypes of scales

    [[nodiscard]] bool isFloat() const { return usual.type == QuantizationType::Float; }
    /// The format itself says which values share a scale, as NVFP4 and the microscaling formats do.
    [[nodiscard]] bool prescribesGroups() const { return usual.scale_dtype.has_value(); }
    [[nodiscard]] bool isOf(const QuantizationArgs& args) const;
};

enum class ValueKind { Weights, Inputs };

[[nodiscard]] std::vector<ValueFormat> valueFormats(ValueKind kind, const CoreServices& services);

}  // namespace calibench
