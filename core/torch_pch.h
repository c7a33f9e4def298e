#pragma once

// Precompiled for every room that computes with tensors. ATen and the autograd entry points only: torch/torch.h (the
// whole C++ frontend) makes a precompiled header so large that loading it costs more than it saves.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <nlohmann/json.hpp>
