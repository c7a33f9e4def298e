#pragma once

#include <filesystem>

namespace calibench {

/// Tells other processes that a file or directory is in use. The system lifts it when the process ends, however it ends.
class FileLock {
public:
    enum class State {
        Held,
        Taken,       ///< somebody else holds it
        Unknown,     ///< the file cannot be opened, or its file system knows no locks
    };

    FileLock() = default;
    explicit FileLock(const std::filesystem::path& path);
    ~FileLock();
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;

    [[nodiscard]] State state() const { return state_; }

private:
    int descriptor_ = -1;
    State state_ = State::Unknown;
};

}  // namespace calibench
