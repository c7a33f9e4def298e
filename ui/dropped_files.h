#pragma once

#include <QList>
#include <QString>
#include <QStringList>
#include <QUrl>

namespace calibench {

/// What a handful of dropped files and folders are to the window.
struct DroppedFiles {
    QString project;       ///< .calibench; it brings its own model, text and recipe
    QString model;         ///< a folder that holds config.json
    QString dataset;       ///< .txt, .text, .md, .jsonl, .json
    QString recipe;        ///< .yaml, .yml
    QStringList ignored;   ///< one sentence for each that is none of these, or is one too many
};

[[nodiscard]] DroppedFiles sortDroppedFiles(const QList<QUrl>& urls);

}  // namespace calibench
