#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/calibration/run_events.h"

namespace calibench {

/// events.jsonl of a run directory.
struct RunJournal {
    std::vector<RunEvent> events;
    uint64_t num_bytes = 0;  ///< of whole lines; what follows was cut off when the process died
};

/// Throws InputError, naming file and line.
[[nodiscard]] RunJournal read_journal(const std::filesystem::path& file);

/// Adds lines behind what is there. After a failure the file ends with its last whole line, and more can be added when there is room.
class JournalWriter {
public:
    JournalWriter() = default;
    explicit JournalWriter(std::filesystem::path file);  ///< throws InputError when it cannot be written
    ~JournalWriter();                                    ///< flushes, if it can
    JournalWriter(const JournalWriter&) = delete;
    JournalWriter& operator=(JournalWriter&& other) noexcept;

    void add(const std::string& line) { pending_ += line; }
    /// Throws RunError.
    void flush();
    /// Drops everything behind the first `num_bytes`.
    void truncate(uint64_t num_bytes);

private:
    [[nodiscard]] bool write_pending() noexcept;

    std::filesystem::path file_;
    int descriptor_ = -1;
    std::string pending_;
};

}  // namespace calibench
