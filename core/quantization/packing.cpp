#include "core/quantization/packing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/parallel.h"
#include "core/quantization/qparams.h"

namespace calibench {

namespace {

// 8 values of b bits fill exactly b bytes: codes are moved together within a 64-bit word, which holds one in each byte.
constexpr int codes_per_word = 8;
static_assert(std::endian::native == std::endian::little);

/// `bits` set at the bottom of every lane of `lane` bits.
constexpr uint64_t low_bits(int bits, int lane) {
    uint64_t mask = 0;
    for (int bit = 0; bit < 64; ++bit)
        if (bit % lane < bits) mask |= uint64_t{1} << bit;
    return mask;
}

/// The lower halves of all lanes, each with `bits` bits, and the upper ones moved down to them.
template <int Bits, int Lane>
constexpr uint64_t join_halves(uint64_t lanes) {
    constexpr uint64_t lower = low_bits(Lane / 2, Lane);
    return (lanes & lower) | (lanes & ~lower) >> (Lane / 2 - Bits);
}
template <int Bits, int Lane>
constexpr uint64_t part_halves(uint64_t lanes) {
    constexpr uint64_t lower = low_bits(Bits, Lane), upper = lower << Bits;
    return (lanes & lower) | (lanes & upper) << (Lane / 2 - Bits);
}

/// int8 values to their codes, value + 2^(Bits - 1), in the low 8 * Bits bits; and back.
template <int Bits>
uint64_t pack_word(uint64_t values) {
    const uint64_t codes = (values & low_bits(Bits, 8)) ^ low_bits(1, 8) << (Bits - 1);
    return join_halves<4 * Bits, 64>(join_halves<2 * Bits, 32>(join_halves<Bits, 16>(codes)));
}
template <int Bits>
uint64_t unpack_word(uint64_t packed) {
    const uint64_t codes = part_halves<Bits, 16>(part_halves<2 * Bits, 32>(part_halves<4 * Bits, 64>(packed)));
    constexpr uint64_t sign = low_bits(1, 8) << 7, half = low_bits(1, 8) << (Bits - 1);
    return Bits == 8 ? codes ^ sign : ((codes | sign) - half) ^ sign;  // no byte borrows from the next
}

template <int Bits>
void pack_row(const int8_t* values, int64_t columns, uint32_t* words, int64_t num_words) {
    auto* bytes = reinterpret_cast<char*>(words);
    const int64_t whole = columns / codes_per_word;
    for (int64_t i = 0; i < whole; ++i) {
        uint64_t word;
        std::memcpy(&word, values + i * codes_per_word, sizeof word);
        word = pack_word<Bits>(word);
        std::memcpy(bytes + i * Bits, &word, Bits);
    }
    const int64_t done = whole * Bits, left = num_words * int64_t(sizeof(uint32_t)) - done;
    std::memset(bytes + done, 0, size_t(left));
    if (columns == whole * codes_per_word) return;
    std::array<int8_t, codes_per_word> rest;
    rest.fill(-(1 << (Bits - 1)));  // packs as zero bits
    std::copy(values + whole * codes_per_word, values + columns, rest.begin());
    const uint64_t word = pack_word<Bits>(std::bit_cast<uint64_t>(rest));
    std::memcpy(bytes + done, &word, size_t(std::min<int64_t>(left, Bits)));
}

template <int Bits>
void unpack_row(const uint32_t* words, int64_t num_words, int8_t* values, int64_t columns) {
    const auto* bytes = reinterpret_cast<const char*>(words);
    const int64_t whole = columns / codes_per_word;
    for (int64_t i = 0; i < whole; ++i) {
        uint64_t word = 0;
        std::memcpy(&word, bytes + i * Bits, Bits);
        word = unpack_word<Bits>(word);
        std::memcpy(values + i * codes_per_word, &word, sizeof word);
    }
    if (columns == whole * codes_per_word) return;
    uint64_t word = 0;
    std::memcpy(&word, bytes + whole * Bits, size_t(std::min<int64_t>(num_words * int64_t(sizeof(uint32_t)) - whole * Bits, Bits)));
    const auto rest = std::bit_cast<std::array<int8_t, codes_per_word>>(unpack_word<Bits>(word));
    std::copy_n(rest.begin(), columns - whole * codes_per_word, values + whole * codes_per_word);
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
        parallel_for(rows, rows_per_task, [&](int64_t begin, int64_t end) {
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
        parallel_for(rows, rows_per_task, [&](int64_t begin, int64_t end) {
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
    parallel_for(packed.numel(), bytes_per_task, [&](int64_t begin, int64_t end) {
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
    parallel_for(source.numel(), bytes_per_task, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            to[2 * i] = e2m1_values[from[i] & 15];
            to[2 * i + 1] = e2m1_values[from[i] >> 4];
        }
    });
    return value.to(packed.device(), dtype);
}

}  // namespace calibench
