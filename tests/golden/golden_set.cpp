#include "tests/golden/golden_set.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <regex>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench::testing {

namespace {

/// "ValidationError: 1 validation error ...\n  Value error, <text> [type=...]" -> "<text>"; "ValueError: <text>" -> "<text>".
/// Python's spelling of an enum, "<QuantizationStrategy.TOKEN: 'token'>", becomes "token".
std::string own_text(const std::string& error) {
    std::string text = std::regex_replace(error.substr(error.find(": ") + 2), std::regex("<\\w+\\.\\w+: '(\\w+)'>"), "$1");
    if (error.rfind("ValidationError", 0) != 0) return text;
    text = text.substr(0, text.find(" [type="));
    const std::string marker = "Value error, ";
    const size_t value_error = text.find(marker);
    if (value_error != std::string::npos) return text.substr(value_error + marker.size());
    return text.substr(text.rfind("\n  ") + 3);
}

at::Tensor lookup(const GoldenCase& golden, const nlohmann::json& keys, const std::string& name) {
    const auto key = keys.find(name);
    if (key == keys.end() || key->is_null()) return {};
    if (!golden.tensors || !key->is_string()) throw InputError(concat(golden.name, ": ", name, " is no tensor"));
    return golden.tensors->tensor(key->get<std::string>()).clone();
}

std::string position(int64_t flat, at::IntArrayRef shape) {
    std::string text = "]";
    for (size_t d = shape.size(); d-- > 0; flat /= shape[d]) text = concat(d ? ", " : "", flat % shape[d], text);
    return "[" + text;
}

/// Walks two contiguous tensors of one element type; `agree` judges a pair, `bound` explains what was allowed.
template <typename T>
std::string first_difference(const std::string& what, const at::Tensor& actual, const at::Tensor& expected,
                             const std::function<bool(T, T)>& agree, const std::string& bound) {
    const T* a = actual.const_data_ptr<T>();
    const T* e = expected.const_data_ptr<T>();
    int64_t first = -1;
    int64_t differing = 0;
    for (int64_t i = 0; i < expected.numel(); ++i) {
        if (agree(a[i], e[i])) continue;
        if (first < 0) first = i;
        ++differing;
    }
    if (differing == 0) return {};
    std::ostringstream values;
    values.precision(17);
    values << "expected " << e[first] << ", got " << a[first];
    return concat(what, " at ", position(first, expected.sizes()), ": ", values.str(), " (", bound, "); ", differing, " of ",
                  expected.numel(), " elements differ");
}

std::string compare_shapes(const std::string& what, const at::Tensor& actual, const at::Tensor& expected) {
    if (!expected.defined()) return actual.defined() ? what + ": the reference has no such tensor" : "";
    if (!actual.defined()) return what + ": nothing was computed";
    if (actual.sizes() != expected.sizes())
        return concat(what, ": expected shape ", expected.sizes(), ", got ", actual.sizes());
    return {};
}

}  // namespace

at::Tensor GoldenCase::input(const std::string& argument) const { return lookup(*this, inputs, argument); }

at::Tensor GoldenCase::expected_tensor(const std::string& key) const { return lookup(*this, expected, key); }

std::vector<std::string> GoldenCase::input_names() const {
    std::vector<std::string> names;
    for (const auto& [name, key] : inputs.items()) names.push_back(name);
    return names;
}

std::filesystem::path golden_directory() {
    const char* directory = std::getenv("CALIBENCH_GOLDEN_DIR");
    return directory && *directory ? std::filesystem::path(directory) : std::filesystem::path(CALIBENCH_TEST_DATA) / "golden";
}

GoldenSet::GoldenSet(const std::string& group) {
    const auto json_path = golden_directory() / (group + ".json");
    const auto tensor_path = golden_directory() / (group + ".safetensors");
    std::ifstream file(json_path);
    if (!file) throw InputError(concat("cannot open ", json_path.string()));
    std::shared_ptr<const SafetensorsFile> tensors;
    if (std::filesystem::exists(tensor_path)) tensors = std::make_shared<SafetensorsFile>(tensor_path);

    const auto document = nlohmann::ordered_json::parse(file);
    for (const auto& entry : document.at("cases")) {
        GoldenCase golden;
        golden.name = entry.at("name").get<std::string>();
        golden.args = entry.at("args");
        golden.expected = entry.at("expected");
        golden.inputs = entry.at("inputs");
        for (const auto& [name, value] : entry.at("expected").items()) golden.expected_names.push_back(name);
        if (!entry.at("error").is_null()) golden.error = own_text(entry.at("error").get<std::string>());
        golden.note = entry.value("note", "");
        golden.tensors = tensors;
        cases_.push_back(std::move(golden));
    }
}

void GoldenSet::add_rows(const std::vector<std::string>& prefixes) const {
    QTest::addColumn<int>("golden_case");
    for (size_t i = 0; i < cases_.size(); ++i) {
        const bool wanted = std::any_of(prefixes.begin(), prefixes.end(),
                                        [&](const std::string& prefix) { return cases_[i].starts_with(prefix); });
        if (wanted) QTest::newRow(cases_[i].name.c_str()) << int(i);
    }
}

const GoldenCase& GoldenSet::current() const {
    QFETCH(int, golden_case);
    return cases_.at(size_t(golden_case));
}

std::string compare_bit_exact(const std::string& what, const at::Tensor& actual, const at::Tensor& expected, SignedZeros zeros) {
    if (std::string report = compare_shapes(what, actual, expected); !report.empty() || !expected.defined()) return report;
    if (actual.scalar_type() != expected.scalar_type())
        return concat(what, ": expected dtype ", toString(expected.scalar_type()), ", got ", toString(actual.scalar_type()));
    if (!at::isFloatingType(expected.scalar_type()))
        return first_difference<int64_t>(what, actual.to(at::kLong).contiguous(), expected.to(at::kLong).contiguous(),
                                         [](int64_t a, int64_t e) { return a == e; }, "bit exact");
    const auto agree = [zeros](double a, double e) {
        if (std::isnan(a) || std::isnan(e)) return std::isnan(a) && std::isnan(e);
        return a == e && (zeros == SignedZeros::Equal || std::signbit(a) == std::signbit(e));
    };
    return first_difference<double>(what, actual.to(at::kDouble).contiguous(), expected.to(at::kDouble).contiguous(), agree,
                                    "bit exact");
}

std::string compare_close(const std::string& what, const at::Tensor& actual, const at::Tensor& expected, double rtol, double atol) {
    if (std::string report = compare_shapes(what, actual, expected); !report.empty() || !expected.defined()) return report;
    const auto agree = [rtol, atol](double a, double e) {
        if (std::isnan(a) || std::isnan(e)) return std::isnan(a) && std::isnan(e);
        return a == e || std::abs(a - e) <= atol + rtol * std::abs(e);
    };
    return first_difference<double>(what, actual.to(at::kDouble).contiguous(), expected.to(at::kDouble).contiguous(), agree,
                                    concat("rtol ", rtol, ", atol ", atol));
}

std::string compare_close(const std::string& what, double actual, double expected, double rtol, double atol) {
    return compare_close(what, at::scalar_tensor(actual, at::kDouble), at::scalar_tensor(expected, at::kDouble), rtol, atol);
}

std::string thrown_text(const std::function<void()>& body) {
    try {
        body();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

}  // namespace calibench::testing
