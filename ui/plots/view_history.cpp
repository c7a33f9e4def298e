#include "ui/plots/view_history.h"

#include <utility>

namespace calibench {

void ViewHistory::visit(View view) {
    if (view == current()) return;
    m_views.resize(m_current + 1);
    m_views.push_back(std::move(view));
    if (m_views.size() > MaxViews) m_views.erase(m_views.begin());
    m_current = m_views.size() - 1;
}

const View& ViewHistory::back() {
    if (canGoBack()) --m_current;
    return current();
}

const View& ViewHistory::forward() {
    if (canGoForward()) ++m_current;
    return current();
}

void ViewHistory::replace(size_t axis, const QCPRange& range) {
    for (View& view : m_views)
        if (axis < view.ranges.size()) view.ranges[axis] = range;
}

void ViewHistory::clear() {
    m_views.assign(1, View{});
    m_current = 0;
}

}  // namespace calibench
