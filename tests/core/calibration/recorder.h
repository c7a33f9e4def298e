#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "core/calibration/run_events.h"

namespace calibench::testing {

/// Keeps what a run tells, and may react to it.
class Recorder : public RunListener {
public:
    std::vector<RunEvent> events;
    std::function<void(const RunEvent&)> react;

    void on_event(const RunEvent& event) override {
        events.push_back(event);
        if (react) react(event);
    }
    template <class Event>
    [[nodiscard]] std::vector<Event> all() const {
        std::vector<Event> found;
        for (const auto& event : events)
            if (const auto* match = std::get_if<Event>(&event)) found.push_back(*match);
        return found;
    }
};

inline std::string read_bytes(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace calibench::testing
