#include "core/checkpoint/write_behind.h"

namespace calibench {

WriteBehind::WriteBehind(int64_t most_bytes) : most_bytes_(most_bytes) {}
WriteBehind::~WriteBehind() { drop(); }

void WriteBehind::add(int64_t bytes, std::function<void()> write) {
    std::unique_lock lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    changed_.wait(lock, [&] { return error_ || waiting_.empty() || waiting_bytes_ + bytes <= most_bytes_; });
    rethrow();
    waiting_.push_back({bytes, std::move(write)});
    waiting_bytes_ += bytes;
    changed_.notify_all();
}

void WriteBehind::finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return error_ || waiting_.empty(); });
    rethrow();
}

void WriteBehind::drop() noexcept {
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
    waiting_.clear();
}

void WriteBehind::rethrow() {
    if (error_) std::rethrow_exception(error_);
}

void WriteBehind::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
        if (ends_ || error_) return;
        Entry entry = std::move(waiting_.front());
        lock.unlock();
        std::exception_ptr error;
        try {
            entry.write();
        } catch (...) {
            error = std::current_exception();
        }
        entry.write = nullptr;  // its tensors are gone before there is room for others
        lock.lock();
        error_ = error;
        waiting_.pop_front();
        waiting_bytes_ -= entry.bytes;
        changed_.notify_all();
    }
}

}  // namespace calibench
