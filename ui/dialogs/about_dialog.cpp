#include "ui/dialogs/about_dialog.h"

#include <QCoreApplication>
#include <QMessageBox>

#include "ui/plots/qcustomplot.h"

namespace calibench {

void showAbout(QWidget* parent) {
    const auto tr = [](const char* text) { return QCoreApplication::translate("AboutDialog", text); };
    auto* box = new QMessageBox(parent);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(tr("About Calibench"));
    box->setIconPixmap(QIcon(QStringLiteral(":/calibench/icons/calibench.svg")).pixmap(64, 64));
    box->setText(QStringLiteral("<b>Calibench %1</b>").arg(QStringLiteral(CALIBENCH_VERSION)));
    box->setInformativeText(
        tr("Calibrates and quantizes large language models, and shows how.<br><br>"
           "Free software under the GNU General Public License, version 3 or later; there is no warranty.<br><br>"
           "Qt %1, QCustomPlot %2 (GPL-3.0-or-later), LibTorch, yaml-cpp, nlohmann/json, PCRE2, ICU.")
            .arg(QString::fromLatin1(qVersion()), QStringLiteral(QCUSTOMPLOT_VERSION_STR)));
    box->setModal(false);
    box->show();
}

}  // namespace calibench
