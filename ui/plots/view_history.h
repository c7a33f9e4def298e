#pragma once

#include <cstddef>
#include <vector>

#include "ui/plots/qcustomplot.h"

namespace calibench {

/// What a plot shows: all of it, however much that becomes, or these ranges of its axes.
struct View {
    bool whole = true;
    std::vector<QCPRange> ranges;
    bool operator==(const View&) const = default;
};

/// The views that the user has seen, gone through like the pages of a browser. The first one is the whole plot.
class ViewHistory {
public:
    static constexpr size_t MaxViews = 100;

    [[nodiscard]] const View& current() const { return m_views[m_current]; }
    [[nodiscard]] bool canGoBack() const { return m_current > 0; }
    [[nodiscard]] bool canGoForward() const { return m_current + 1 < m_views.size(); }

    void visit(View view);  ///< what lay ahead is forgotten; nothing happens when it is the current one
    const View& back();     ///< stays where it is at either end
    const View& forward();
    void replace(size_t axis, const QCPRange& range);  ///< in all views
    void clear();           ///< the whole plot again, and nothing else

private:
    std::vector<View> m_views{View{}};
    size_t m_current = 0;
};

}  // namespace calibench
