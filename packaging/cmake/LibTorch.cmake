# Finds LibTorch >= 2.9 and offers it as calibench_torch. In this order: Torch_DIR, CALIBENCH_TORCH_DIR (a torch prefix, cache or
# environment), the Python interpreters at hand.

if(NOT Torch_DIR)
    set(Torch_DIR $ENV{Torch_DIR})
endif()
set(_prefix "${CALIBENCH_TORCH_DIR}")
if(Torch_DIR)
    set(_prefix "${Torch_DIR}/../../..")
elseif(NOT _prefix)
    set(_prefix "$ENV{CALIBENCH_TORCH_DIR}")
endif()
foreach(_python IN ITEMS "${CMAKE_BINARY_DIR}/venv/bin/python" "${PROJECT_SOURCE_DIR}/build/venv/bin/python" python3)
    if(NOT _prefix)
        execute_process(COMMAND ${_python} -c "import torch; print(torch.utils.cmake_prefix_path)"
                        OUTPUT_VARIABLE _prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
endforeach()
if(EXISTS "${_prefix}/Torch/TorchConfig.cmake")  # torch.utils.cmake_prefix_path
    set(_prefix "${_prefix}/../..")
endif()
if(_prefix)
    get_filename_component(_prefix "${_prefix}" ABSOLUTE)
endif()

# LibTorch's CMake package of a CUDA build wants a toolkit, an architecture (a GPU to ask may be missing) and nvrtc, which wheels bring along.
set(_without_toolkit OFF)
if(EXISTS "${_prefix}/lib/libtorch_cuda.so")
    if(NOT DEFINED CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
        find_program(CMAKE_CUDA_COMPILER nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
    endif()
    if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})  # -DCMAKE_CUDA_COMPILER=OFF asks for this
        set(_without_toolkit ON)
    endif()
    if(NOT CUDA_TOOLKIT_ROOT_DIR AND EXISTS /usr/local/cuda/include/cuda.h)
        set(CUDA_TOOLKIT_ROOT_DIR /usr/local/cuda)
    endif()
    if(NOT DEFINED TORCH_CUDA_ARCH_LIST AND NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST})
        set(TORCH_CUDA_ARCH_LIST "8.0 9.0+PTX")  # Ampere and Hopper; newer ones compile the last one's PTX when the program starts
    endif()
    file(GLOB _nvrtc ${_prefix}/../nvidia/*/lib/libnvrtc.so.*)
    if(_nvrtc AND NOT CUDA_nvrtc_LIBRARY)
        list(GET _nvrtc 0 CUDA_nvrtc_LIBRARY)
    endif()
endif()

if(_without_toolkit)
    # Nothing here compiles against the toolkit then, so LibTorch's libraries are named directly. libtorch.so brings libtorch_cuda.so, whose
    # operators register themselves; no symbol of it is used.
    message(STATUS "CUDA kernels: not built, nvcc was not found; CUDA runs use LibTorch's operations")
    include("${_prefix}/share/cmake/Torch/TorchConfigVersion.cmake")
    set(Torch_VERSION ${PACKAGE_VERSION})
    set(TORCH_INSTALL_PREFIX ${_prefix})
    set(TORCH_INCLUDE_DIRS ${_prefix}/include ${_prefix}/include/torch/csrc/api/include)
    set(TORCH_LIBRARIES -Wl,--no-as-needed ${_prefix}/lib/libtorch.so -Wl,--as-needed ${_prefix}/lib/libtorch_cpu.so ${_prefix}/lib/libc10.so)
else()
    list(APPEND CMAKE_PREFIX_PATH "${_prefix}")
    find_package(Torch QUIET)
    if(NOT Torch_FOUND)
        message(FATAL_ERROR "LibTorch was not found. Run packaging/run.sh, which installs it, or point CALIBENCH_TORCH_DIR at a "
                            "torch >= 2.9 (python -c 'import torch; print(torch.utils.cmake_prefix_path)').")
    endif()
endif()
if(Torch_VERSION VERSION_LESS 2.9)
    message(FATAL_ERROR "LibTorch ${Torch_VERSION} in ${TORCH_INSTALL_PREFIX} is too old: 2.9 or newer is needed.")
endif()
message(STATUS "LibTorch ${Torch_VERSION}: ${TORCH_INSTALL_PREFIX}")

add_library(calibench_torch INTERFACE)
# LibTorch's headers are not ours to warn about.
target_include_directories(calibench_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(calibench_torch INTERFACE ${TORCH_LIBRARIES})

# LibTorch's own: a wheel brings its OpenMP runtime along, and a second one in the process would keep a second set of threads.
find_package(OpenMP REQUIRED COMPONENTS CXX)
file(GLOB CALIBENCH_OPENMP_RUNTIME ${TORCH_INSTALL_PREFIX}/lib/libgomp*.so*)
if(CALIBENCH_OPENMP_RUNTIME)
    list(GET CALIBENCH_OPENMP_RUNTIME 0 CALIBENCH_OPENMP_RUNTIME)
else()
    set(CALIBENCH_OPENMP_RUNTIME ${OpenMP_CXX_LIBRARIES})
endif()
