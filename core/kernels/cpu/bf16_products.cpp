#include "core/kernels/cpu/bf16_products.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

#include <algorithm>
#include <atomic>
#include <cstring>

#include <c10/core/ScalarType.h>
#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>

#include "core/kernels/cpu/parallel.h"

namespace calibench::cpu::bf16 {

namespace {

using Words = Uint;
using Halves = Half;

template <typename Vector>
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Vector read(const uint16_t* from) {
    Vector x;
    std::memcpy(&x, from, sizeof x);
    return x;
}
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE void write(uint16_t* to, Words x) { std::memcpy(to, &x, sizeof x); }

/// Rows become columns among 16 rows of 16 words.
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE void turn(Words (&rows)[16]) {
    Words half[16];
    for (int i = 0; i < 16; i += 2) {
        half[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        half[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
    for (int i = 0; i < 16; i += 4) {
        for (int j = 0; j < 2; ++j) {
            rows[i + 2 * j] =
                __builtin_shufflevector(half[i + j], half[i + 2 + j], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            rows[i + 2 * j + 1] =
                __builtin_shufflevector(half[i + j], half[i + 2 + j], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
    }
    // Now rows[4 i + j] holds the columns j, 4 + j, 8 + j and 12 + j of four rows each.
    const auto even = [](Words a, Words b) __attribute__((always_inline)) {
        return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    };
    const auto odd = [](Words a, Words b) __attribute__((always_inline)) {
        return __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    };
    for (int j = 0; j < 4; ++j) {
        half[j] = even(even(rows[j], rows[4 + j]), even(rows[8 + j], rows[12 + j]));
        half[4 + j] = even(odd(rows[j], rows[4 + j]), odd(rows[8 + j], rows[12 + j]));
        half[8 + j] = odd(even(rows[j], rows[4 + j]), even(rows[8 + j], rows[12 + j]));
        half[12 + j] = odd(odd(rows[j], rows[4 + j]), odd(rows[8 + j], rows[12 + j]));
    }
    for (int i = 0; i < 16; ++i) rows[i] = half[i];
}

/// Two rows of 16 elements -> 16 words, the first row's elements low.
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Words pairs(const uint16_t* first, const uint16_t* second) {
    return __builtin_convertvector(read<Halves>(first), Words) | __builtin_convertvector(read<Halves>(second), Words) << 16;
}

}  // namespace

bool available() {
    static const bool found = __builtin_cpu_supports("avx512bf16") && at::native::cpublas::could_pack(at::kBFloat16);
    return found && lanes::instruction_set() == lanes::InstructionSet::Avx512;
}

CALIBENCH_TARGET_BF16 void pack_rows(const uint16_t* from, int64_t stride, int64_t rows, uint16_t* to, int64_t width) {
    for (int64_t row = 0; row < rows; row += 2, from += 2 * stride, to += 2 * width) {
        write(to, pairs(from, from + stride));
        write(to + 32, pairs(from + 16, from + stride + 16));
    }
}

CALIBENCH_TARGET_BF16 void pack_columns(const uint16_t* from, int64_t stride, int64_t columns, uint16_t* to, int64_t width) {
    Words words[16];
    for (int64_t column = 0; column < columns; column += 32) {
        for (int64_t half = 0; half < 2; ++half) {
            for (int64_t i = 0; i < 16; ++i) words[i] = read<Words>(from + (half * 16 + i) * stride + column);
            turn(words);
            for (int64_t i = 0; i < 16; ++i) write(to + (column + 2 * i) * width + half * 32, words[i]);
        }
    }
}

CALIBENCH_TARGET_BF16 void transpose(const uint16_t* from, int64_t stride, int64_t rows, int64_t columns, uint16_t* to, int64_t to_stride) {
    Words words[16];
    for (int64_t row = 0; row < rows; row += 32) {
        for (int64_t column = 0; column < columns; column += 16) {
            const uint16_t* corner = from + row * stride + column;
            for (int64_t i = 0; i < 16; ++i) words[i] = pairs(corner + 2 * i * stride, corner + (2 * i + 1) * stride);
            turn(words);
            for (int64_t i = 0; i < 16; ++i) write(to + (column + i) * to_stride + row, words[i]);
        }
    }
}

void multiply(Left left, Right right, int64_t rows, int64_t columns, int64_t k, Sums sums, bool add) {
    at::native::cpublas::brgemm(rows, columns, k, left.stride, right.width, sums.stride, add,
                                reinterpret_cast<const at::BFloat16*>(left.rows), reinterpret_cast<const at::BFloat16*>(right.panel),
                                sums.rows);
}

void multiply(Left left, Right right, int64_t rows, int64_t k, Sums sums, bool add) {
    multiply(left, right, rows, right.width, k, sums, add);
}

void release() { at::native::cpublas::brgemm_release(); }

CALIBENCH_TARGET_BF16 void narrow(const float* sums, int64_t stride, int64_t rows, int64_t columns, uint16_t* to, int64_t to_stride) {
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t i = 0; i < columns; i += 16) store(to + row * to_stride + i, load(sums + row * stride + i));
    }
}

CALIBENCH_TARGET_BF16 void narrow_transposed(const float* sums, int64_t stride, int64_t rows, int64_t columns, uint16_t* to,
                                             int64_t to_stride) {
    Words words[16];
    for (int64_t row = 0; row < rows; row += 16) {
        for (int64_t column = 0; column < columns; column += 16) {
            for (int64_t i = 0; i < 16; ++i) words[i] = reinterpret_cast<Words>(load(sums + (row + i) * stride + column));
            turn(words);
            for (int64_t i = 0; i < 16; ++i) store(to + (column + i) * to_stride + row, reinterpret_cast<Float>(words[i]));
        }
    }
}

void share_out(int64_t items, const std::function<void(int64_t item)>& body) {
    std::atomic<int64_t> next{0};
    parallel_for(std::min<int64_t>(items, at::get_num_threads()), 1, [&](int64_t, int64_t) {
        for (int64_t item; (item = next.fetch_add(1)) < items;) body(item);
        release();
    });
}

}  // namespace calibench::cpu::bf16

#endif
