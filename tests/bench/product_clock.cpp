#include "tests/bench/product_clock.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>

#include <ATen/ATen.h>

#include "tests/bench/benchmarks.h"

namespace calibench::bench {

namespace {

using Clock = std::chrono::steady_clock;

std::mutex mutex;
ProductClock::Share measured;

/// Operands of a product among an operator's inputs: aten::mm(a, b), aten::addmm(bias, a, b), aten::bmm(a, b). The fused halves of a
/// block say themselves how many they are.
double operations_of(const at::RecordFunction& function) {
    if (std::string_view(function.name()) == "calibench::products") return function.inputs()[0].toDouble();
    const bool with_bias = std::string_view(function.name()) == "aten::addmm";
    const auto inputs = function.inputs();
    const size_t first = with_bias ? 1 : 0;
    if (inputs.size() < first + 2 || !inputs[first].isTensor() || !inputs[first + 1].isTensor()) return 0;
    const at::Tensor a = inputs[first].toTensor(), b = inputs[first + 1].toTensor();
    return 2.0 * static_cast<double>(a.numel()) * static_cast<double>(b.size(-1));
}

/// Products inside of attention count once in time.
thread_local int depth = 0;

struct Call : at::ObserverContext {
    Clock::time_point begin = Clock::now();
    double operations = 0;
    bool outermost = false;
};

bool is_counted(std::string_view name) {
    return name == "aten::mm" || name == "aten::addmm" || name == "aten::bmm" || name == "calibench::causal_attention" || name == "calibench::products" ||
           name.starts_with("aten::_scaled_dot_product_flash_attention_for_cpu");
}

}  // namespace

ProductClock::ProductClock() {
    measured = {};
    const auto start = [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
        if (!is_counted(function.name())) return nullptr;
        auto call = std::make_unique<Call>();
        call->operations = operations_of(function);
        call->outermost = depth++ == 0;
        return call;
    };
    const auto end = [](const at::RecordFunction&, at::ObserverContext* context) {
        if (context == nullptr) return;
        const auto* call = static_cast<Call*>(context);
        --depth;
        const std::lock_guard lock(mutex);
        if (call->outermost) measured.seconds += std::chrono::duration<double>(Clock::now() - call->begin).count();
        measured.operations += call->operations;
    };
    handle_ = at::addGlobalCallback(at::RecordFunctionCallback(start, end).needsInputs(true).scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
}

ProductClock::~ProductClock() { at::removeCallback(handle_); }

ProductClock::Share ProductClock::total() const {
    const std::lock_guard lock(mutex);
    return measured;
}

double peak_operations_per_second(at::ScalarType dtype) {
    const at::NoGradGuard no_grad;
    double best = 0;
    for (const int64_t size : {1024, 2048}) {
        const at::Tensor a = at::randn({size, size}).to(dtype), b = at::randn({size, size}).to(dtype);
        (void)at::mm(a, b);
        const double seconds = best_seconds(8, [&] { (void)at::mm(a, b); });
        best = std::max(best, 2.0 * static_cast<double>(size * size * size) / seconds);
    }
    return best;
}

}  // namespace calibench::bench
