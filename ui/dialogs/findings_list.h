#pragma once

#include <QListWidget>

#include <vector>

#include "core/recipe/recipe.h"

namespace calibench {

/// What a check has found, one entry each, with an icon for how grave it is.
class FindingsList : public QListWidget {
    Q_OBJECT

public:
    explicit FindingsList(QWidget* parent = nullptr);

    void showFindings(const std::vector<Diagnostic>& findings);
};

}  // namespace calibench
