#pragma once

#include <QWidget>

#include "ui/latest_task.h"
#include "ui/lens/channel_model.h"
#include "ui/lens/microscope.h"

class QComboBox;
class QTreeView;

namespace calibench {

/// The most affected rows or columns of one quantized form; picking one asks for it to be shown.
class ChannelList : public QWidget {
    Q_OBJECT

public:
    explicit ChannelList(QWidget* parent = nullptr);

    void setSlide(const Slide& slide);  ///< one without a weight empties the list
    [[nodiscard]] QTreeView* view() const { return m_view; }
    [[nodiscard]] ChannelModel* model() const { return m_model; }
    void showColumns(bool columns);

Q_SIGNALS:
    void rowPicked(qint64 row);
    void columnPicked(qint64 column);

private:
    void ask();
    void pick(const QModelIndex& index);
    void copy() const;

    QComboBox* m_kind;
    QTreeView* m_view;
    ChannelModel* m_model;
    Slide m_slide;
    LatestTask m_task;
};

}  // namespace calibench
