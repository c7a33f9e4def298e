#include "core/calibration/run_journal.h"

#include <cerrno>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {
namespace {

using nlohmann::json;

/// Events are flat objects; whatever is nested is refused before it can cost memory or stack.
class FlatObjectReader : public json::json_sax_t {
public:
    [[nodiscard]] const json& object() const { return object_; }

    bool null() override { return take(nullptr); }
    bool boolean(bool value) override { return take(value); }
    bool number_integer(json::number_integer_t value) override { return take(value); }
    bool number_unsigned(json::number_unsigned_t value) override { return take(value); }
    bool number_float(json::number_float_t value, const std::string&) override { return take(value); }
    bool string(std::string& value) override { return take(std::move(value)); }
    bool binary(json::binary_t&) override { return false; }
    bool start_object(size_t) override { return !std::exchange(inside_, true); }
    bool key(std::string& value) override {
        key_ = std::move(value);
        return true;
    }
    bool end_object() override { return true; }
    bool start_array(size_t) override { return false; }
    bool end_array() override { return false; }
    bool parse_error(size_t, const std::string&, const json::exception&) override { return false; }

private:
    bool take(json value) {
        if (inside_) object_[key_] = std::move(value);
        return inside_;
    }

    json object_ = json::object();
    std::string key_;
    bool inside_ = false;
};

RunEvent read_line(const std::string& line) {
    FlatObjectReader reader;
    if (!json::sax_parse(line.begin(), line.end(), &reader)) throw InputError("this is no event of a run. The journal is damaged.");
    return run_event_from_json(reader.object());
}

}  // namespace

RunJournal read_journal(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw InputError(concat(file.string(), " cannot be read. The directory holds no run of Calibench."));
    RunJournal journal;
    int64_t number = 0;
    for (std::string line; std::getline(stream, line) && !stream.eof();) {
        ++number;
        try {
            journal.events.push_back(read_line(line));
        } catch (const InputError& error) {
            throw InputError(concat(file.string(), ", line ", number, ": ", error.what()));
        }
        journal.num_bytes += line.size() + 1;
    }
    return journal;
}

JournalWriter::JournalWriter(std::filesystem::path file) : file_(std::move(file)) {
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw InputError(concat(file_.string(), " cannot be written. Choose another run directory."));
}

JournalWriter::~JournalWriter() {
    if (descriptor_ < 0) return;
    (void)write_pending();
    ::close(descriptor_);
}

JournalWriter& JournalWriter::operator=(JournalWriter&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(pending_, other.pending_);
    return *this;
}

bool JournalWriter::write_pending() noexcept {
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    size_t written = 0;
    while (written < pending_.size()) {
        const ssize_t count = ::write(descriptor_, pending_.data() + written, pending_.size() - written);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        written += static_cast<size_t>(count);
    }
    const bool complete = written == pending_.size();
    pending_.clear();
    if (!complete && ::ftruncate(descriptor_, end) != 0) return false;  // half a line stays, which readers leave out
    return complete;
}

void JournalWriter::flush() {
    if (!write_pending()) throw RunError(concat(file_.string(), " cannot be written. Is the disk full?"));
}

void JournalWriter::truncate(uint64_t num_bytes) {
    if (::ftruncate(descriptor_, static_cast<off_t>(num_bytes)) != 0) throw RunError(concat(file_.string(), " cannot be written. Is the disk full?"));
}

}  // namespace calibench
