#pragma once

class QWidget;

namespace calibench {

/// Version, licence and the libraries inside; not modal.
void showAbout(QWidget* parent);

}  // namespace calibench
