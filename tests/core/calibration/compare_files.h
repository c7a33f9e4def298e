#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <QTest>

#include "tests/core/calibration/recorder.h"

namespace calibench::testing {

/// The bytes of every file below `directory`, by relative path.
inline std::map<std::string, std::string> contents(const std::filesystem::path& directory) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
        if (entry.is_regular_file()) files[entry.path().lexically_relative(directory).string()] = read_bytes(entry.path());
    return files;
}

}  // namespace calibench::testing

#define COMPARE_FILES(actual, expected)                                                                     \
    do {                                                                                                    \
        const auto a = calibench::testing::contents(actual), b = calibench::testing::contents(expected);    \
        QVERIFY(!b.empty());                                                                                \
        QCOMPARE(a.size(), b.size());                                                                       \
        for (const auto& [name, bytes] : b) QVERIFY2(a.contains(name) && a.at(name) == bytes, name.c_str()); \
    } while (false)
