#include "ui/report/run_name.h"

#include "ui/format.h"

namespace calibench {

QString runName(const std::filesystem::path& runDir) {
    return toText(runDir.filename() == "run" ? runDir.parent_path().filename() : runDir.filename());
}

}  // namespace calibench
