#include <cstdio>
#include <memory>

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/evaluation/compute_options.h"
#include "tests/bench/benchmarks.h"
#include "tests/kernel_checks/kernel_checks.h"

namespace calibench::bench {

namespace {

struct Options {
    std::string device = "auto";
    bool json = false;
};

/// auto: the CPU, and a GPU where there is one.
std::vector<testing::CheckTarget> targets_of(const std::string& name) {
    const at::Device device = choose_compute(name, "float32", DType::Float32).device;
    std::vector<testing::CheckTarget> targets;
    if (device.is_cpu() || name == "auto") targets = testing::cpu_targets();
    if (!device.is_cpu()) targets.push_back({device_name(device), device});
    return targets;
}

nlohmann::json result_of(const testing::CheckTarget& target, const testing::KernelCheck& check) {
    nlohmann::json result = {{"target", target.name}, {"kernel", check.kernel}, {"passed", true}};
    const std::vector<testing::Comparison> comparisons = testing::compare_on(target, check);
    result["comparisons"] = comparisons.size();
    if (comparisons.empty()) return result;
    const testing::Comparison& worst = testing::worst_of(comparisons);
    result["passed"] = worst.passed();
    result["error"] = worst.error;
    result["bound"] = worst.bound;
    result["worst"] = worst.what;
    return result;
}

void print(const nlohmann::json& result) {
    const auto text = [&](const char* key) { return result[key].get<std::string>(); };
    std::printf("%-14s %-24s ", text("target").c_str(), text("kernel").c_str());
    if (result["comparisons"] == 0) {
        std::printf("no such kernel here: LibTorch's operations are used\n");
        return;
    }
    const bool passed = result["passed"].get<bool>();
    std::printf("%-6s %-9.2g of %-9.2g %4d comparisons%s%s\n", passed ? "ok" : "FAILED", result["error"].get<double>(), result["bound"].get<double>(),
                result["comparisons"].get<int>(), passed ? "" : ", worst: ", passed ? "" : text("worst").c_str());
    std::fflush(stdout);
}

void run(const Options& options) {
    nlohmann::json results = nlohmann::json::array();
    int failures = 0;
    for (const testing::CheckTarget& target : targets_of(options.device)) {
        for (const testing::KernelCheck& check : testing::kernel_checks()) {
            results.push_back(result_of(target, check));
            if (!options.json) print(results.back());
            failures += results.back()["passed"].get<bool>() ? 0 : 1;
        }
    }
    if (options.json) std::printf("%s\n", results.dump(2).c_str());
    if (failures > 0) throw RunError(concat(failures, " of ", results.size(), " kernels differ from LibTorch's operations by more than is allowed"));
}

}  // namespace

void add_check(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("check", "Every kernel against plain LibTorch operations, the worst error beside the allowed one");
    command->add_option("--device", options->device, "auto (CPU, and a GPU where there is one), cpu, cuda or cuda:N")->capture_default_str();
    command->add_flag("--json", options->json, "a list of results");
    command->callback([options] { run(*options); });
}

}  // namespace calibench::bench
