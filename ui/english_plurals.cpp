#include "ui/english_plurals.h"

namespace calibench {

QString EnglishPlurals::translate(const char*, const char* sourceText, const char*, int n) const {
    QString text = QString::fromUtf8(sourceText);
    if (n < 0 || !text.contains(QLatin1String("(s)"))) return {};  // not ours: shown as it is in the source
    return text.replace(QLatin1String("(s)"), QLatin1String(n == 1 ? "" : "s"));
}

}  // namespace calibench
