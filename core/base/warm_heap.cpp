#include "core/base/warm_heap.h"

#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace calibench {

#if defined(__GLIBC__)
WarmHeap::WarmHeap() {
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most there may be; larger tensors are few
    ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
}
void WarmHeap::trim() { ::malloc_trim(0); }
#else
WarmHeap::WarmHeap() = default;
void WarmHeap::trim() {}
#endif
WarmHeap::~WarmHeap() { trim(); }

}  // namespace calibench
