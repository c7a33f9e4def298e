#include "core/kernels/cpu/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include <ATen/Parallel.h>

namespace calibench {

namespace {

using Body = std::function<void(int64_t begin, int64_t end)>;

/// A few for each thread, so that one that is held up leaves them to the others.
constexpr int64_t parts_per_thread = 4;
/// A part begins at a multiple of so many items where it has as many: at the begin of a vector.
constexpr int64_t part_alignment = 64;
/// Some hundred microseconds: most loops follow the one before sooner, and waking up a thread takes a good part of it.
constexpr int spins_before_sleep = 10000;

thread_local bool is_at_work = false;

void spin() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/// Waits until `value` is no longer `old`.
template <typename T>
void await_change(const std::atomic<T>& value, T old) {
    for (int i = 0; i < spins_before_sleep; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        spin();
    }
    value.wait(old, std::memory_order_acquire);
}

/// The threads, and the one job that they have at a time.
class Team {
public:
    /// Never destroyed: its threads sleep until the process ends.
    static Team& instance() {
        static Team* team = new Team;
        return *team;
    }

    /// False when another thread has them.
    [[nodiscard]] bool run(int64_t count, int64_t part, int64_t threads, const Body& body) {
        const std::unique_lock lock(callers_, std::try_to_lock);
        if (!lock) return false;
        hire(threads - 1);
        const uint32_t job = publish(count, part, threads - 1, body);
        work(job);
        const int32_t parts = parts_.load(std::memory_order_relaxed);
        for (int32_t done; (done = done_.load(std::memory_order_acquire)) < parts;) await_change(done_, done);
        if (const std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
        return true;
    }

private:
    void hire(int64_t helpers) {
        for (; helpers_ < helpers; ++helpers_) std::thread([this, index = helpers_] { help(index); }).detach();
    }

    /// The ticket is closed while the job changes: whoever comes late to the last one finds no part of this.
    uint32_t publish(int64_t count, int64_t part, int64_t seats, const Body& body) {
        const uint32_t job = job_.load(std::memory_order_relaxed) + 1;
        ticket_.store(uint64_t{job} << 32 | closed, std::memory_order_release);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        body_.store(&body, std::memory_order_relaxed);
        count_.store(count, std::memory_order_relaxed);
        part_.store(part, std::memory_order_relaxed);
        parts_.store(static_cast<int32_t>((count + part - 1) / part), std::memory_order_relaxed);
        seats_.store(seats, std::memory_order_relaxed);
        done_.store(0, std::memory_order_relaxed);
        ticket_.store(uint64_t{job} << 32, std::memory_order_release);
        job_.store(job, std::memory_order_release);
        job_.notify_all();
        return job;
    }

    void help(int64_t index) {
        for (uint32_t last = 0;;) {
            await_change(job_, last);
            last = job_.load(std::memory_order_acquire);
            if (index < seats_.load(std::memory_order_relaxed)) work(last);
        }
    }

    /// Takes parts of the job as long as there are any.
    void work(uint32_t job) {
        is_at_work = true;
        uint64_t ticket = ticket_.load(std::memory_order_acquire);
        while (ticket >> 32 == job) {
            const auto index = static_cast<int64_t>(ticket & closed);
            const Body* body = body_.load(std::memory_order_relaxed);
            const int64_t count = count_.load(std::memory_order_relaxed), part = part_.load(std::memory_order_relaxed);
            const int32_t parts = parts_.load(std::memory_order_relaxed);
            if (index >= parts) break;
            if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
            try {
                (*body)(index * part, std::min(count, (index + 1) * part));
            } catch (...) {
                const std::lock_guard lock(errors_);
                if (!error_) error_ = std::current_exception();
            }
            if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts) done_.notify_all();
            ticket = ticket_.load(std::memory_order_acquire);
        }
        is_at_work = false;
    }

    static constexpr uint64_t closed = 0xffffffff;

    std::mutex callers_, errors_;
    int64_t helpers_ = 0;
    std::atomic<uint32_t> job_{0};
    std::atomic<uint64_t> ticket_{closed};  ///< the job, and its next part
    std::atomic<const Body*> body_{nullptr};
    std::atomic<int64_t> count_{0}, part_{1}, seats_{0};
    std::atomic<int32_t> parts_{0}, done_{0};
    std::exception_ptr error_;
};

}  // namespace

void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body) {
    if (count <= 0) return;
    const int64_t threads = std::min<int64_t>(at::get_num_threads(), (count + grain - 1) / grain);
    const int64_t share = threads * parts_per_thread;
    int64_t part = std::max(grain, (count + share - 1) / share);
    if (part >= part_alignment) part = (part + part_alignment - 1) / part_alignment * part_alignment;
    if (threads <= 1 || is_at_work || !Team::instance().run(count, part, threads, body)) body(0, count);
}

}  // namespace calibench
