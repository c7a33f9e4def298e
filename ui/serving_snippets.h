#pragma once

#include <QCoreApplication>
#include <QList>
#include <QString>

#include "ui/checkpoint_export.h"

namespace calibench {

/// A few lines that load an exported checkpoint, to be pasted.
struct ServingSnippet {
    QString title;
    QString code;
    QString note;  ///< what stands against it; empty when nothing does
};

/// For vLLM's server, vLLM in Python and transformers, with the flags that this checkpoint needs. `tensorParallel`: GPUs that share
/// every layer in vLLM.
class ServingSnippets {
    Q_DECLARE_TR_FUNCTIONS(ServingSnippets)

public:
    [[nodiscard]] static QList<ServingSnippet> of(const CheckpointFacts& facts, const QString& folder, int tensorParallel);
};

}  // namespace calibench
