#pragma once

namespace calibench {

/// While one lives, memory that tensors give back stays with the process, for the next ones. By itself the C library returns pieces of
/// a megabyte to the operating system, and every tensor of that size is then paid for in page faults, as often as it is made.
class WarmHeap {
public:
    WarmHeap();
    ~WarmHeap();  ///< returns what is free
    /// Returns it now: before work that takes other sizes, which would not fit into what is free.
    static void trim();
    WarmHeap(const WarmHeap&) = delete;
    WarmHeap& operator=(const WarmHeap&) = delete;
};

}  // namespace calibench
