#pragma once

#include <QMap>
#include <QString>

#include <cstdint>
#include <optional>

#include "ui/run_record.h"

namespace calibench {

/// What is known of one module, or of all modules of a group taken together: counts add up, of numbers the extremes stay.
struct ModuleFacts {
    QMap<QString, int> schemes;  ///< scheme -> how many modules; those left as they are are absent
    int quantizable = 0, observed = 0, done = 0;
    int highlighted = 0;
    std::optional<double> minWeight, maxWeight;
    std::optional<int64_t> fewestTokens, mostTokens;
    std::optional<double> worstSqnrDb;
    std::string worstModule;

    void addModule(const ModuleRecord* record, const QString& scheme, bool isHighlighted);
    void add(const ModuleFacts& other);

    [[nodiscard]] QString schemeText() const;    ///< "W4A16 g64 sym", "2 schemes", ""
    [[nodiscard]] QString schemeDetail() const;  ///< one line a scheme
    [[nodiscard]] QString tokensText() const;    ///< "12 … 240"
    [[nodiscard]] QString stateText(bool started) const;  ///< "done", "3 of 12 done", "observed", "waiting", ""
};

}  // namespace calibench
