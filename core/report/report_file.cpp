#include <system_error>

#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/output_file.h"
#include "core/report/report.h"

namespace calibench {

namespace fs = std::filesystem;

void write_report_file(const fs::path& file, const std::string& bytes) {
    std::error_code error;
    const fs::path target = fs::absolute(file, error);
    if (fs::is_directory(target, error)) throw InputError(concat(file.string(), " is a directory. Name a file for the report."));
    if (!fs::is_directory(target.parent_path(), error))
        throw InputError(concat("The folder ", target.parent_path().string(), " is not there. Create it or choose another for the report."));
    fs::path partial = target;
    partial += concat(".", ::getpid(), ".partial");
    try {
        OutputFile out(partial);
        out.write(bytes.data(), bytes.size());
        out.close();
    } catch (const RunError& failure) {
        fs::remove(partial, error);
        std::string sentence = failure.what();  // about a file that nobody has named
        if (const size_t at = sentence.find(partial.string()); at != std::string::npos) sentence.replace(at, partial.string().size(), file.string());
        throw RunError(sentence);
    }
    fs::rename(partial, target, error);
    if (!error) return;
    const std::string reason = error.message();
    fs::remove(partial, error);
    throw RunError(concat(file.string(), " cannot be written: ", reason, "."));
}

}  // namespace calibench
