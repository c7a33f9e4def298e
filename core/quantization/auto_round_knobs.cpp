#include "core/quantization/auto_round_knobs.h"

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

std::string to_string(Effort effort) { return effort == Effort::Quick ? "quick" : "exact"; }

Effort effort_from_string(const std::string& name) {
    for (const Effort effort : {Effort::Exact, Effort::Quick})
        if (name == to_string(effort)) return effort;
    throw InputError(concat("effort must be exact or quick, not ", name));
}

}  // namespace calibench
