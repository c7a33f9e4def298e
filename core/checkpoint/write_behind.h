#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace calibench {

/// A thread that writes what it is given, in that order, while whoever computed it goes on. What one write throws the next call throws.
class WriteBehind {
public:
    /// `most_bytes` wait at a time; a write that is larger waits alone.
    explicit WriteBehind(int64_t most_bytes);
    ~WriteBehind();  ///< as drop()
    WriteBehind(const WriteBehind&) = delete;
    WriteBehind& operator=(const WriteBehind&) = delete;

    /// Waits until there is room for `bytes`, of which `write` takes care later.
    void add(int64_t bytes, std::function<void()> write);
    /// Waits until all is written.
    void finish();
    /// Ends behind the write at work; the others are forgotten, and so are errors.
    void drop() noexcept;

private:
    struct Entry {
        int64_t bytes = 0;
        std::function<void()> write;
    };

    void work();
    void rethrow();

    const int64_t most_bytes_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Entry> waiting_;   ///< the first may be at work
    int64_t waiting_bytes_ = 0;
    std::exception_ptr error_;    ///< nothing more is written
    bool ends_ = false;
    std::thread thread_;          ///< begins with the first write
};

}  // namespace calibench
