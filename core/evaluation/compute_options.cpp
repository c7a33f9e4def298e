#include "core/evaluation/compute_options.h"

#include <charconv>

#include <ATen/ATen.h>
#include <ATen/cpu/Utils.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/quantization/qparams.h"

namespace calibench {

static at::Device choose_device(const std::string& name) {
    if (name == "cpu") return at::kCPU;
    if (name == "auto") return at::hasCUDA() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
    int index = 0;
    const bool is_cuda = name.rfind("cuda", 0) == 0;
    bool valid = is_cuda && name.size() == 4;
    if (is_cuda && name.size() > 5 && name[4] == ':') {
        const char* end = name.data() + name.size();
        const auto [stop, error] = std::from_chars(name.data() + 5, end, index);
        valid = error == std::errc() && stop == end && index >= 0;
    }
    if (!valid) throw InputError(concat("\"", name, "\" is no device. Use auto, cpu, cuda or cuda:N."));
    const auto num_gpus = at::hasCUDA() ? static_cast<int>(at::getNumGPUs()) : 0;
    if (num_gpus == 0) throw InputError("LibTorch finds no GPU here: that takes an NVIDIA driver and a LibTorch built for CUDA. Use cpu.");
    if (index >= num_gpus) throw InputError(concat("There is no GPU ", index, " here: LibTorch finds ", num_gpus, ", counted from 0."));
    return {at::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

/// AVX512_BF16, AMX or SVE's bf16 instructions; without them LibTorch converts back and forth and is slower than float32.
static bool has_native_bfloat16() {
    for (const auto& [feature, value] : at::cpu::get_cpu_capabilities())
        if ((feature == "avx512_bf16" || feature == "amx_bf16" || feature == "bf16") && value.isBool() && value.toBool()) return true;
    return false;
}

ComputeOptions choose_compute(const std::string& device, const std::string& dtype, DType model_dtype) {
    const at::Device where = choose_device(device);
    if (dtype == "float32") return {at::kFloat, where};
    if (dtype == "bfloat16") return {at::kBFloat16, where};
    if (dtype != "auto") throw InputError(concat("\"", dtype, "\" is no dtype to compute in. Use auto, float32 or bfloat16."));
    const bool faster = model_dtype == DType::BFloat16 && (where.is_cuda() || has_native_bfloat16());
    return {faster ? at::kBFloat16 : at::kFloat, where};
}

std::string device_name(const at::Device& device) {
    return device.str();
}

std::string dtype_name(at::ScalarType dtype) {
    return to_string(to_dtype(dtype)).substr(std::string("torch.").size());
}

}  // namespace calibench
