#include "core/autoround/input_products.h"

#include <utility>

#include <ATen/ATen.h>

namespace calibench {

namespace {

void add_to(at::Tensor& sum, const at::Tensor& product) {
    if (sum.defined()) sum.add_(product);
    else sum = product;
}

}  // namespace

InputProducts::InputProducts(Linear& linear) : linear_(linear), watched_before_(linear.on_input) {
    linear.on_input = [this](const at::Tensor& input) {
        if (watched_before_) watched_before_(input);
        observe(input);
    };
}

InputProducts::~InputProducts() { linear_.on_input = std::move(watched_before_); }

void InputProducts::observe(const at::Tensor& input) {
    const at::Tensor seen = linear_.transform_input ? linear_.transform_input(input) : input;
    latest_ = seen.to(at::kFloat);
    if (mask_.defined() && mask_.dim() + 1 == seen.dim()) latest_ = latest_ * mask_.unsqueeze(-1);
    latest_ = latest_.reshape({-1, seen.size(-1)});
    add_to(inputs_, latest_.t().mm(latest_).to(at::kCPU));
}

void InputProducts::add_error(const at::Tensor& error) {
    // What the mask leaves out is zero in the input.
    add_to(errors_, error.to(at::kFloat).reshape({-1, error.size(-1)}).t().mm(latest_).to(at::kCPU));
}

}  // namespace calibench
