#include "core/quantization/packing.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/quantization/qparams.h"

namespace calibench {

namespace {

// 32 values of b bits fill exactly b words, so rows are worked on in blocks of 32 with every shift known at compile time.
constexpr int block = 32;

template <int Bits>
void pack_block(const int8_t* values, uint32_t* words) {
    constexpr uint32_t mask = (1u << Bits) - 1;
    constexpr int offset = 1 << (Bits - 1);
    for (int i = 0; i < Bits; ++i) words[i] = 0;
    for (int i = 0; i < block; ++i) {
        const uint32_t code = uint32_t(values[i] + offset) & mask;
        const int bit = i * Bits;
        words[bit / 32] |= code << (bit % 32);
        if (bit % 32 + Bits > 32) words[bit / 32 + 1] |= code >> (32 - bit % 32);
    }
}

template <int Bits>
void unpack_block(const uint32_t* words, int8_t* values) {
    constexpr uint32_t mask = (1u << Bits) - 1;
    constexpr int offset = 1 << (Bits - 1);
    for (int i = 0; i < block; ++i) {
        const int bit = i * Bits;
        uint32_t code = words[bit / 32] >> (bit % 32);
        if (bit % 32 + Bits > 32) code |= words[bit / 32 + 1] << (32 - bit % 32);
        values[i] = int8_t(int(code & mask) - offset);
    }
}

template <int Bits>
void pack_row(const int8_t* values, int64_t columns, uint32_t* words, int64_t num_words) {
    const int64_t whole = columns / block;
    for (int64_t b = 0; b < whole; ++b) pack_block<Bits>(values + b * block, words + b * Bits);
    if (columns % block == 0) return;
    std::array<int8_t, block> rest;
    rest.fill(-(1 << (Bits - 1)));  // packs as zero bits
    std::copy(values + whole * block, values + columns, rest.begin());
    std::array<uint32_t, Bits> rest_words;
    pack_block<Bits>(rest.data(), rest_words.data());
    std::copy_n(rest_words.begin(), num_words - whole * Bits, words + whole * Bits);
}

template <int Bits>
void unpack_row(const uint32_t* words, int64_t num_words, int8_t* values, int64_t columns) {
    const int64_t whole = columns / block;
    for (int64_t b = 0; b < whole; ++b) unpack_block<Bits>(words + b * Bits, values + b * block);
    if (columns % block == 0) return;
    std::array<uint32_t, Bits> rest_words{};
    std::copy_n(words + whole * Bits, num_words - whole * Bits, rest_words.begin());
    std::array<int8_t, block> rest;
    unpack_block<Bits>(rest_words.data(), rest.data());
    std::copy_n(rest.begin(), columns - whole * block, values + whole * block);
}

/// Calls work with num_bits as a compile-time constant.
template <typename Work>
void with_bits(int num_bits, const Work& work) {
    switch (num_bits) {
        case 1: return work(std::integral_constant<int, 1>());
        case 2: return work(std::integral_constant<int, 2>());
        case 3: return work(std::integral_constant<int, 3>());
        case 4: return work(std::integral_constant<int, 4>());
        case 5: return work(std::integral_constant<int, 5>());
        case 6: return work(std::integral_constant<int, 6>());
        case 7: return work(std::integral_constant<int, 7>());
        default: return work(std::integral_constant<int, 8>());
    }
}

constexpr int64_t rows_per_task = 64;
constexpr int64_t bytes_per_task = 1 << 16;

void check_packing(const char* verb, int num_bits, int64_t dims, int packed_dim) {
    if (num_bits < 1 || num_bits > 8)
        throw InputError(concat(verb, " is only supported for num_bits in [1, 8], got ", num_bits));
    if (dims < 2 || (packed_dim != 0 && packed_dim != 1))
        throw InputError(concat(verb, " needs a tensor of two or more dimensions and packed_dim 0 or 1"));
}

int64_t words_for(int64_t columns, int num_bits) { return (columns * num_bits + 31) / 32; }

constexpr std::array<float, 16> e2m1_values = {0.f,  0.5f,  1.f,  1.5f,  2.f,  3.f,  4.f,  6.f,
                                               -0.f, -0.5f, -1.f, -1.5f, -2.f, -3.f, -4.f, -6.f};

/// The code of a magnitude from its double, which is an integer: 0 1 2 3 4 6 8 12.
constexpr std::array<uint8_t, 13> e2m1_code_of_double = {0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7};

uint8_t e2m1_code(float value) {
    const float doubled = std::min(std::abs(value) * 2, 12.f);
    return uint8_t(e2m1_code_of_double[size_t(doubled)] | (std::signbit(value) ? 8 : 0));
}

}  // namespace

at::Tensor pack_to_int32(const at::Tensor& value, int num_bits, int packed_dim) {
    if (value.scalar_type() != at::kChar) throw InputError("Tensor must be quantized to torch.int8 before packing");
    check_packing("Packing", num_bits, value.dim(), packed_dim);
    const at::Tensor rows_last = (packed_dim == 0 ? value.transpose(-2, -1) : value).cpu().contiguous();
    const int64_t columns = rows_last.size(-1);
    const int64_t num_words = words_for(columns, num_bits);
    std::vector<int64_t> sizes = rows_last.sizes().vec();
    sizes.back() = num_words;
    const at::Tensor packed = at::empty(sizes, rows_last.options().dtype(at::kInt));

    const int8_t* from = rows_last.const_data_ptr<int8_t>();
    auto* to = reinterpret_cast<uint32_t*>(packed.mutable_data_ptr<int32_t>());
    const int64_t rows = columns == 0 ? 0 : rows_last.numel() / columns;
    with_bits(num_bits, [&](auto bits) {
        at::parallel_for(0, rows, rows_per_task, [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row)
                pack_row<bits()>(from + row * columns, columns, to + row * num_words, num_words);
        });
    });
    return (packed_dim == 0 ? packed.transpose(-2, -1).contiguous() : packed).to(value.device());
}

at::Tensor unpack_from_int32(const at::Tensor& packed, int num_bits, at::IntArrayRef shape, int packed_dim) {
    if (packed.scalar_type() != at::kInt)
        throw InputError(concat("Expected torch.int32 but got ", to_string(to_dtype(packed.scalar_type())), ", Aborting unpack."));
    check_packing("Unpacking", num_bits, packed.dim(), packed_dim);
    std::vector<int64_t> packed_shape = shape.vec();
    const size_t dim = packed_shape.size() - 2 + size_t(packed_dim);
    const int64_t columns = dim < packed_shape.size() ? packed_shape[dim] : -1;
    const bool plausible = columns >= 0 && int64_t(packed_shape.size()) == packed.dim() && columns <= packed.size(int64_t(dim)) * 32;
    if (plausible) packed_shape[dim] = words_for(columns, num_bits);
    if (!plausible || packed.sizes() != at::IntArrayRef(packed_shape))
        throw InputError(concat("a packed tensor of shape ", packed.sizes(), " cannot hold ", num_bits, "-bit values of shape ", shape));

    const at::Tensor rows_last = (packed_dim == 0 ? packed.transpose(-2, -1) : packed).cpu().contiguous();
    const int64_t num_words = rows_last.size(-1);
    std::vector<int64_t> sizes = rows_last.sizes().vec();
    sizes.back() = columns;
    const at::Tensor value = at::empty(sizes, rows_last.options().dtype(at::kChar));

    const auto* from = reinterpret_cast<const uint32_t*>(rows_last.const_data_ptr<int32_t>());
    int8_t* to = value.mutable_data_ptr<int8_t>();
    const int64_t rows = num_words == 0 ? 0 : rows_last.numel() / num_words;
    with_bits(num_bits, [&](auto bits) {
        at::parallel_for(0, rows, rows_per_task, [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row)
                unpack_row<bits()>(from + row * num_words, num_words, to + row * columns, columns);
        });
    });
    return (packed_dim == 0 ? value.transpose(-2, -1).contiguous() : value).to(packed.device());
}

at::Tensor pack_fp4_to_uint8(const at::Tensor& value) {
    if (value.dim() < 1 || value.size(-1) % 2 != 0)
        throw InputError("tensor must have an even number of columns for nvfp4 compression");
    const at::Tensor source = value.to(at::kCPU, at::kFloat).contiguous();
    std::vector<int64_t> sizes = source.sizes().vec();
    sizes.back() /= 2;
    const at::Tensor packed = at::empty(sizes, source.options().dtype(at::kByte));
    const float* from = source.const_data_ptr<float>();
    uint8_t* to = packed.mutable_data_ptr<uint8_t>();
    at::parallel_for(0, packed.numel(), bytes_per_task, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = uint8_t(e2m1_code(from[2 * i]) | e2m1_code(from[2 * i + 1]) << 4);
    });
    return packed.to(value.device());
}

at::Tensor unpack_fp4_from_uint8(const at::Tensor& packed, int64_t rows, int64_t columns, at::ScalarType dtype) {
    if (packed.scalar_type() != at::kByte) throw InputError("fp4 values must be packed as torch.uint8");
    if (rows < 0 || columns < 0 || columns % 2 != 0 || packed.numel() != rows * (columns / 2))
        throw InputError(concat("a packed tensor of shape ", packed.sizes(), " cannot hold fp4 values of shape [", rows, ", ", columns, "]"));
    const at::Tensor source = packed.cpu().contiguous();
    const at::Tensor value = at::empty({rows, columns}, source.options().dtype(at::kFloat));
    const uint8_t* from = source.const_data_ptr<uint8_t>();
    float* to = value.mutable_data_ptr<float>();
    at::parallel_for(0, source.numel(), bytes_per_task, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            to[2 * i] = e2m1_values[from[i] & 15];
            to[2 * i + 1] = e2m1_values[from[i] >> 4];
        }
    });
    return value.to(packed.device(), dtype);
}

}  // namespace calibench
