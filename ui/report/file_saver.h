#pragma once

#include <QObject>
#include <QStringList>

#include <functional>
#include <vector>

class QWidget;

namespace calibench {

class MessageBar;
class Settings;

/// Saves what plots and runs have to show: asks for a file in the folder used last, makes and writes it off the window's thread, whole or
/// not at all, and says in the message bar what became of it.
class FileSaver : public QObject {
    Q_OBJECT

public:
    struct Kind {
        QString filter;  ///< "PNG picture (*.png)"
        QString suffix;  ///< "png"
    };
    /// Makes the file's bytes on another thread; must own all it touches and may throw.
    using Work = std::function<QByteArray()>;

    /// `window` is the parent of dialogs and of this object.
    FileSaver(Settings& settings, MessageBar& messages, QWidget* window);

    struct Request {
        QString title;               ///< of the dialog
        QString name;                ///< proposed, without suffix
        std::vector<Kind> kinds;     ///< the first is proposed
        QString remark;              ///< said when it is saved; may be empty
        /// Called on the window's thread with the chosen kind, once a file is chosen.
        std::function<Work(size_t kind)> prepare;
    };
    void ask(Request request);
    void save(const QString& file, const Work& work, const QString& remark = {});

Q_SIGNALS:
    void ended();  ///< saved, or said why not

private:
    Settings& m_settings;
    MessageBar& m_messages;
    QWidget* m_window;
};

}  // namespace calibench
