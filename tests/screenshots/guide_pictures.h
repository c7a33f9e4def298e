#pragma once

#include <QString>

namespace calibench {

/// The pictures of resources/guide, taken on the way that its pages describe.
void takeGuidePictures(const QString& folder);

}  // namespace calibench
