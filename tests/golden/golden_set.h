#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <QtTest/QTest>

#include "core/models/safetensors.h"

namespace calibench::testing {

/// One reference case of a group (format: tests/data/golden/README.md).
struct GoldenCase {
    std::string name;
    nlohmann::json args;
    nlohmann::json expected;  ///< name -> tensor key, number, bool, list (in groups without tensors: any JSON)
    std::string error;        ///< the reference's own sentence without Python's decoration; empty where it succeeds
    std::string note;

    /// An input tensor, a copy that may be written to; undefined when the reference was given None.
    [[nodiscard]] at::Tensor input(const std::string& argument) const;
    [[nodiscard]] std::vector<std::string> input_names() const;
    /// An expected tensor; undefined when the case expects none of that name.
    [[nodiscard]] at::Tensor expected_tensor(const std::string& name) const;
    [[nodiscard]] bool expects(const std::string& name) const { return expected.contains(name); }
    [[nodiscard]] bool starts_with(std::string_view prefix) const { return name.rfind(prefix, 0) == 0; }

    nlohmann::json inputs;                    ///< argument -> tensor key
    std::vector<std::string> expected_names;  ///< keys of `expected` in the file's order
    std::shared_ptr<const SafetensorsFile> tensors;
};

/// All cases of one group.
class GoldenSet {
public:
    /// Throws InputError when the group's files are missing or not in the format.
    explicit GoldenSet(const std::string& group);

    [[nodiscard]] const std::vector<GoldenCase>& cases() const { return cases_; }

    /// For a test's _data() slot: one row per case, named after it, whose name starts with one of the prefixes.
    void add_rows(const std::vector<std::string>& prefixes = {""}) const;
    /// The case of the row that Qt Test is running.
    [[nodiscard]] const GoldenCase& current() const;

private:
    std::vector<GoldenCase> cases_;
};

/// CALIBENCH_GOLDEN_DIR, or the set that comes with the sources.
[[nodiscard]] std::filesystem::path golden_directory();

enum class SignedZeros { Equal, Distinct };

/// Empty when dtype, shape and every element agree (NaN equals NaN); otherwise what differs first, and how much differs.
[[nodiscard]] std::string compare_bit_exact(const std::string& what, const at::Tensor& actual, const at::Tensor& expected,
                                            SignedZeros zeros = SignedZeros::Equal);
/// The same with |actual - expected| <= atol + rtol * |expected|; dtypes may differ, shapes may not.
[[nodiscard]] std::string compare_close(const std::string& what, const at::Tensor& actual, const at::Tensor& expected, double rtol,
                                        double atol);
[[nodiscard]] std::string compare_close(const std::string& what, double actual, double expected, double rtol, double atol);

/// What `body` throws, as text; empty when it returns.
[[nodiscard]] std::string thrown_text(const std::function<void()>& body);

}  // namespace calibench::testing

/// Fails the running row with a comparison's report.
#define GOLDEN_COMPARE(comparison)                                       \
    do {                                                                 \
        const std::string golden_report = (comparison);                  \
        QVERIFY2(golden_report.empty(), golden_report.c_str());          \
    } while (false)
