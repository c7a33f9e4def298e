#include "core/report/axis_map.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace calibench {
namespace {

/// 1, 2 or 5 times a power of ten, of which at most `most` fit into `span`.
double even_step(double span, int most) {
    const double least = span / std::max(1, most);
    const double power = std::pow(10.0, std::floor(std::log10(least)));
    for (const double digit : {1.0, 2.0, 5.0})
        if (digit * power >= least * (1 - 1e-9)) return digit * power;
    return 10 * power;
}

}  // namespace

std::string with_digits(double value, int digits) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "∞" : "-∞";
    char text[40];
    if (std::abs(value) >= 1000 && std::abs(value) < 1e6 && digits <= 3) std::snprintf(text, sizeof text, "%.0f", value);
    else std::snprintf(text, sizeof text, "%.*g", digits, value);
    std::string out = text;
    if (const size_t e = out.find('e'); e != std::string::npos) {  // 1e-05, 1e+06: as people write them
        const size_t digit = out.find_first_not_of("+-0", e + 1);
        out = out.substr(0, e + 1) + (out[e + 1] == '-' ? "-" : "") + out.substr(digit);
    }
    return out;
}

AxisMap::AxisMap(const Axis& axis, double low, double high, double from, double to)
    : scale_(axis.scale), whole_numbers_(axis.whole_numbers), low_(low), high_(high), from_(from), to_(to) {
    if (whole_numbers_) {
        low_ -= 0.5;
        high_ += 0.5;
    } else if (scale_ == Axis::Scale::Log) {
        const double air = std::max(std::pow(high / low, 0.05), 1.02);
        low_ /= air;
        high_ *= air;
    } else {
        if (scale_ == Axis::Scale::Symlog) linear_ = std::max(std::abs(low), std::abs(high)) / 1e4;
        const double air = low == high ? std::max(0.1 * std::abs(low), 1e-12) : scale_ == Axis::Scale::Linear ? 0.04 * (high - low) : 0;
        low_ -= air;
        high_ += air;
    }
}

double AxisMap::scaled(double value) const {
    switch (scale_) {
        case Axis::Scale::Linear: break;
        case Axis::Scale::Log: return std::log(value);
        case Axis::Scale::Symlog: return std::copysign(std::log1p(std::abs(value) / linear_), value);
    }
    return value;
}

double AxisMap::place(double value) const { return from_ + (scaled(value) - scaled(low_)) / (scaled(high_) - scaled(low_)) * (to_ - from_); }

bool AxisMap::shows(double value) const { return std::isfinite(value) && (scale_ != Axis::Scale::Log || value > 0); }

std::vector<double> AxisMap::even_ticks(int most) const {
    double step = even_step(high_ - low_, most);
    if (whole_numbers_) step = std::max(1.0, step);
    std::vector<double> ticks;
    for (double i = std::ceil(low_ / step - 1e-9); i * step <= high_ * (1 + 1e-12) + 1e-300 && ticks.size() < 100; ++i) ticks.push_back(i == 0 ? 0 : i * step);
    return ticks;
}

std::vector<double> AxisMap::log_ticks(int most) const {
    const double decades = std::log10(high_ / low_);
    if (decades < 1) return even_ticks(most);
    const int stride = std::max(1, static_cast<int>(std::ceil(decades / most)));
    std::vector<double> ticks;
    for (int exponent = static_cast<int>(std::floor(std::log10(low_))); exponent <= std::log10(high_); exponent += stride)
        for (const double digit : {1.0, 2.0, 5.0}) {
            const double tick = digit * std::pow(10.0, exponent);
            if (tick >= low_ && tick <= high_ && (digit == 1 || 3 * decades <= most)) ticks.push_back(tick);
        }
    return ticks;
}

std::vector<double> AxisMap::symlog_ticks(int most) const {
    const double reach = std::max(std::abs(low_), std::abs(high_));
    std::vector<double> ticks{0};
    const int last = static_cast<int>(std::floor(std::log10(reach))), first = static_cast<int>(std::ceil(std::log10(linear_)));
    const int stride = std::max(1, (2 * (last - first + 1) + most - 1) / std::max(1, most));
    for (int exponent = last; exponent >= first; exponent -= stride)
        for (const double tick : {std::pow(10.0, exponent), -std::pow(10.0, exponent)})
            if (tick >= low_ && tick <= high_) ticks.push_back(tick);
    std::sort(ticks.begin(), ticks.end());
    return ticks;
}

std::vector<AxisMap::Tick> AxisMap::ticks(int most) const {
    std::vector<double> values;
    switch (scale_) {
        case Axis::Scale::Linear: values = even_ticks(most); break;
        case Axis::Scale::Log: values = log_ticks(most); break;
        case Axis::Scale::Symlog: values = symlog_ticks(most); break;
    }
    std::vector<Tick> ticks;
    int digits = 3;
    for (size_t i = 1; i < values.size(); ++i)  // as many as tell a tick from the one before
        while (digits < 12 && with_digits(values[i], digits) == with_digits(values[i - 1], digits)) ++digits;
    for (const double value : values) ticks.push_back({place(value), with_digits(value, digits)});
    return ticks;
}

}  // namespace calibench
