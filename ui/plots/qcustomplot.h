#pragma once

// The only way to QCustomPlot. Its header is written with Qt's keyword macros (`signals`, `foreach`), which this project
// switches off because LibTorch has functions by such names; here they exist for as long as the header needs them.

#include <QtCore>

#ifdef QT_NO_KEYWORDS
#define signals Q_SIGNALS
#define foreach Q_FOREACH
#endif
#include <qcustomplot.h>
#ifdef QT_NO_KEYWORDS
#undef signals
#undef foreach
#endif
