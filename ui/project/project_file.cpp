#include "ui/project/project_file.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QSaveFile>

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <set>
#include <string>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

constexpr int Version = 1;
constexpr qint64 MaxBytes = 4 << 20;  // real projects have a few KiB

QString tr(const char* text) { return QCoreApplication::translate("ProjectFile", text); }

/// A double-quoted YAML scalar.
QString quoted(const QString& text) {
    QString out = QStringLiteral("\"");
    for (const QChar c : text) {
        if (c == QLatin1Char('"') || c == QLatin1Char('\\')) out += QLatin1Char('\\');
        if (c == QLatin1Char('\n'))
            out += QLatin1String("\\n");
        else if (c.unicode() < 0x20 || (c.unicode() >= 0x7f && c.unicode() < 0xa0) || c.unicode() == 0x2028 || c.unicode() == 0x2029)
            out += QStringLiteral("\\u%1").arg(c.unicode(), 4, 16, QLatin1Char('0'));
        else
            out += c;
    }
    return out + QLatin1Char('"');
}

/// The recipe as it stands in the editor, readable in the project too; quoted where a literal block would not keep it exactly.
QString block(const QString& text, const QString& indent) {
    const bool printable = std::all_of(text.begin(), text.end(), [](QChar c) {
        return c == QLatin1Char('\n') || (c.unicode() >= 0x20 && c.unicode() < 0x7f) || (c.unicode() >= 0xa0 && c.unicode() < 0x2000);
    });
    const bool startsAtMargin = !text.isEmpty() && !text.front().isSpace();
    if (!printable || !startsAtMargin || !text.endsWith(QLatin1Char('\n')) || text.endsWith(QLatin1String("\n\n"))) return quoted(text);
    QString out = QStringLiteral("|");
    for (const QString& line : text.chopped(1).split(QLatin1Char('\n'))) out += QLatin1Char('\n') + (line.isEmpty() ? QString() : indent + line);
    return out;
}

class Writer {
public:
    explicit Writer(const QString& file) : m_folder(QFileInfo(file).absoluteDir()) {}

    QByteArray write(const Project& project) {
        line(QStringLiteral("calibench: %1").arg(Version));
        if (!project.recovers.isEmpty()) line(QStringLiteral("recovers: ") + quoted(project.recovers));
        if (!project.model.isEmpty()) line(QStringLiteral("model: ") + path(project.model));
        if (!project.datasets.isEmpty()) line(QStringLiteral("datasets:  # the first one is in use"));
        for (const DataSettings& data : project.datasets) write(data);
        if (!project.recipe.file.isEmpty() || !project.recipe.text.isEmpty()) line(QStringLiteral("recipe:"));
        if (!project.recipe.file.isEmpty()) line(QStringLiteral("  file: ") + path(project.recipe.file));
        if (!project.recipe.text.isEmpty()) line(QStringLiteral("  text: ") + block(project.recipe.text, QStringLiteral("    ")));
        if (!project.runs.isEmpty()) line(QStringLiteral("runs:  # the newest last"));
        for (const QString& run : project.runs) line(QStringLiteral("  - ") + path(run));
        line(QStringLiteral("layout:"));
        line(QStringLiteral("  tab: %1").arg(project.layout.tab));
        if (!project.layout.window.isEmpty())
            line(QStringLiteral("  window: ") + quoted(QString::fromLatin1(project.layout.window.toBase64())));
        return m_text.toUtf8();
    }

private:
    void write(const DataSettings& data) {
        line(QStringLiteral("  - file: ") + path(data.file));
        line(QStringLiteral("    samples: %1").arg(data.numSamples));
        line(QStringLiteral("    length: %1").arg(data.seqLen));
        line(QStringLiteral("    seed: %1").arg(data.seed));
        if (data.iters >= 0) line(QStringLiteral("    iterations: %1").arg(data.iters));
        if (data.batchSize > 0) line(QStringLiteral("    batch: %1").arg(data.batchSize));
    }

    [[nodiscard]] QString path(const QString& absolute) const {
        const QString relative = m_folder.relativeFilePath(absolute);
        const bool keepAbsolute = relative.startsWith(QLatin1String("..")) || relative.startsWith(QLatin1Char(':'));  // Qt's own files begin with a colon
        return quoted(keepAbsolute ? absolute : relative);
    }

    void line(const QString& text) { m_text += text + QLatin1Char('\n'); }

    const QDir m_folder;
    QString m_text;
};

class Reader {
public:
    explicit Reader(const QString& file) : m_name(QFileInfo(file).fileName()), m_folder(QFileInfo(file).absoluteDir()) {}

    Project read(const QByteArray& yaml) {
        if (yaml.size() > MaxBytes) throw InputError(tr("%1 is too large to be a project.").arg(m_name).toStdString());
        YAML::Node root;
        try {
            root = YAML::Load(yaml.toStdString());
        } catch (const YAML::Exception& error) {
            fail(error.mark, tr("this is not valid YAML; correct it or restore an older copy"));
        }
        return project(root);
    }

private:
    Project project(const YAML::Node& root) {
        if (!root.IsMap() || !root["calibench"].IsDefined()) throw InputError(tr("%1 is no Calibench project: it does not say \"calibench: %2\".").arg(m_name).arg(Version).toStdString());
        if (const int version = number(root["calibench"], "calibench", 1); version > Version)
            fail(root["calibench"].Mark(), tr("this project was saved by a newer Calibench; open it with that one"));
        allow(root, {"calibench", "recovers", "model", "datasets", "recipe", "runs", "layout"});
        Project project{.model = path(root["model"], "model"), .recovers = path(root["recovers"], "recovers")};
        for (const YAML::Node& data : items(root["datasets"], "datasets")) project.datasets << dataset(data);
        if (const YAML::Node recipe = section(root, "recipe")) {
            allow(recipe, {"file", "text"});
            project.recipe = {.file = path(recipe["file"], "file"), .text = text(recipe["text"], "text")};
        }
        for (const YAML::Node& run : items(root["runs"], "runs")) project.runs << path(run, "runs");
        if (const YAML::Node layout = section(root, "layout")) {
            allow(layout, {"tab", "window"});
            project.layout.window = QByteArray::fromBase64(text(layout["window"], "window").toLatin1());
            if (layout["tab"].IsDefined()) project.layout.tab = number(layout["tab"], "tab", 0, 1000);
        }
        return project;
    }

    DataSettings dataset(const YAML::Node& node) {
        if (!node.IsMap()) fail(node.Mark(), tr("each of datasets is a map with a file"));
        allow(node, {"file", "samples", "length", "seed", "iterations", "batch"});
        DataSettings data{.file = path(node["file"], "file")};
        if (data.file.isEmpty()) fail(node.Mark(), tr("this dataset names no file"));
        if (node["samples"].IsDefined()) data.numSamples = number(node["samples"], "samples", 1);
        if (node["length"].IsDefined()) data.seqLen = number(node["length"], "length", 2);
        if (node["seed"].IsDefined()) data.seed = number(node["seed"], "seed", 0);
        if (node["iterations"].IsDefined()) data.iters = number(node["iterations"], "iterations", 0);
        if (node["batch"].IsDefined()) data.batchSize = number(node["batch"], "batch", 1);
        return data;
    }

    /// A map that may be missing.
    YAML::Node section(const YAML::Node& map, const char* key) const {
        const YAML::Node node = map[key];
        if (!node.IsDefined() || node.IsNull()) return YAML::Node(YAML::NodeType::Undefined);
        if (!node.IsMap()) fail(node.Mark(), tr("%1 is a map").arg(QString::fromLatin1(key)));
        return node;
    }

    std::vector<YAML::Node> items(const YAML::Node& node, const char* key) const {
        if (!node.IsDefined() || node.IsNull()) return {};
        if (!node.IsSequence()) fail(node.Mark(), tr("%1 is a list").arg(QString::fromLatin1(key)));
        return {node.begin(), node.end()};
    }

    [[nodiscard]] QString text(const YAML::Node& node, const char* key) const {
        if (!node.IsDefined() || node.IsNull()) return {};
        if (!node.IsScalar()) fail(node.Mark(), tr("%1 is a text").arg(QString::fromLatin1(key)));
        return QString::fromStdString(node.Scalar());
    }

    [[nodiscard]] QString path(const YAML::Node& node, const char* key) const {
        const QString given = text(node, key);
        if (given.contains(QChar(0))) fail(node.Mark(), tr("%1 is no path").arg(QString::fromLatin1(key)));
        return given.isEmpty() ? QString() : QDir::cleanPath(m_folder.absoluteFilePath(given));
    }

    [[nodiscard]] int number(const YAML::Node& node, const char* key, int lowest, int highest = std::numeric_limits<int>::max()) const {
        const std::string digits = node.IsScalar() ? node.Scalar() : std::string();
        int value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size() || value < lowest || value > highest)
            fail(node.Mark(), tr("%1 is a whole number from %2 to %3").arg(QString::fromLatin1(key)).arg(lowest).arg(highest));
        return value;
    }

    /// An unknown key is a slip of the pen: saving the project would drop it without a word.
    void allow(const YAML::Node& map, std::initializer_list<const char*> keys) const {
        const std::vector<std::string> known(keys.begin(), keys.end());
        std::set<std::string> seen;
        for (const auto& entry : map) {
            const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
            const QString shown = QString::fromStdString(key).left(40);
            if (!seen.insert(key).second) fail(entry.first.Mark(), tr("%1 stands here a second time").arg(shown));
            if (std::find(known.begin(), known.end(), key) != known.end()) continue;
            const QString near = QString::fromStdString(closest_match(key, known));
            fail(entry.first.Mark(), near.isEmpty() ? tr("the key \"%1\" is unknown").arg(shown) : tr("the key \"%1\" is unknown; %2 may be meant").arg(shown, near));
        }
    }

    [[noreturn]] void fail(const YAML::Mark& mark, const QString& what) const {
        const QString place = mark.is_null() ? m_name : tr("%1, line %2").arg(m_name).arg(mark.line + 1);
        throw InputError(tr("%1: %2.").arg(place, what).toStdString());
    }

    const QString m_name;
    const QDir m_folder;
};

}  // namespace

QByteArray writeProject(const Project& project, const QString& file) { return Writer(file).write(project); }

Project readProject(const QByteArray& yaml, const QString& file) { return Reader(file).read(yaml); }

Project loadProject(const QString& file) {
    QFile in(file);
    if (!QFileInfo(file).isFile() || !in.open(QIODevice::ReadOnly))
        throw InputError(tr("The project %1 cannot be read. Does it still exist?").arg(file).toStdString());
    return readProject(in.read(MaxBytes + 1), file);
}

void saveProject(const Project& project, const QString& file) {
    QSaveFile out(file);
    const bool ok = out.open(QIODevice::WriteOnly) && out.write(writeProject(project, file)) >= 0 && out.commit();
    if (!ok) throw RunError(tr("The project %1 cannot be written: %2.").arg(file, out.errorString()).toStdString());
}

}  // namespace calibench
