#pragma once

#include <QWidget>

class QComboBox;
class QFormLayout;
class QLabel;
class QSpinBox;

namespace calibench {

class Session;

/// Which text calibrates the model, and how much of it.
class DataPanel : public QWidget {
    Q_OBJECT

public:
    explicit DataPanel(Session& session, QWidget* parent = nullptr);

Q_SIGNALS:
    void browseRequested();

private:
    QSpinBox* addNumber(QFormLayout* form, const QString& label, const QString& help, int low, int high);
    void publish();
    void showData();

    Session& m_session;
    QComboBox* m_file;  ///< the texts used lately; choosing one brings back its numbers
    QLabel* m_note;
    QSpinBox* m_numSamples;
    QSpinBox* m_seqLen;
    QSpinBox* m_seed;
    QSpinBox* m_iters;
    QSpinBox* m_batchSize;
};

}  // namespace calibench
