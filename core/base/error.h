#pragma once

#include <stdexcept>
#include <string>

namespace calibench {

/// Everything core throws on purpose. what() is one sentence for a person: what happened, to what, and what to do.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The input is at fault (a file, a recipe, an argument). The message names the file and the key or line.
class InputError : public Error {
public:
    using Error::Error;
};

/// The input was fine and the work failed all the same: disk full, out of memory, NaN in a loss.
class RunError : public Error {
public:
    using Error::Error;
};

/// Someone asked to stop. Not a failure, so it is no Error: a handler of errors must not swallow it by accident.
class Cancelled : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace calibench
