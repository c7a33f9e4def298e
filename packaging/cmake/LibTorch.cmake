# Finds LibTorch >= 2.9 and offers it as calibench_torch, in this order: CALIBENCH_TORCH_DIR (a torch prefix, environment
# or cache), Torch_DIR, the Python interpreters at hand.

set(_prefix "")
if(NOT Torch_DIR AND NOT DEFINED ENV{Torch_DIR})
    set(_prefix "${CALIBENCH_TORCH_DIR}")
    if(NOT _prefix)
        set(_prefix "$ENV{CALIBENCH_TORCH_DIR}")
    endif()
    if(NOT _prefix)
        foreach(_python IN ITEMS "${CMAKE_BINARY_DIR}/venv/bin/python" "${PROJECT_SOURCE_DIR}/build/venv/bin/python" python3)
            execute_process(COMMAND ${_python} -c "import torch; print(torch.utils.cmake_prefix_path)"
                            OUTPUT_VARIABLE _prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE _failed)
            if(NOT _failed)
                break()
            endif()
            set(_prefix "")
        endforeach()
    endif()
    if(_prefix)
        list(APPEND CMAKE_PREFIX_PATH "${_prefix}" "${_prefix}/share/cmake")
    endif()
endif()

# A CUDA build of LibTorch wants a toolkit, an architecture (a GPU to ask may be missing) and nvrtc, which wheels bring along.
if(NOT CUDA_TOOLKIT_ROOT_DIR AND EXISTS /usr/local/cuda/include/cuda.h)
    set(CUDA_TOOLKIT_ROOT_DIR /usr/local/cuda)
endif()
if(NOT DEFINED TORCH_CUDA_ARCH_LIST AND NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST})
    set(TORCH_CUDA_ARCH_LIST "8.0 9.0+PTX")  # Ampere and Hopper; newer ones compile the last one's PTX when the program starts
endif()
if(NOT CUDA_nvrtc_LIBRARY AND _prefix)
    file(GLOB _nvrtc ${_prefix}/../nvidia/*/lib/libnvrtc.so.* ${_prefix}/../../../nvidia/*/lib/libnvrtc.so.*)
    list(FILTER _nvrtc EXCLUDE REGEX "alt")
    if(_nvrtc)
        list(GET _nvrtc 0 CUDA_nvrtc_LIBRARY)
    endif()
endif()

find_package(Torch QUIET)
if(NOT Torch_FOUND)
    message(FATAL_ERROR "LibTorch was not found. Run packaging/run.sh, which installs it, or point CALIBENCH_TORCH_DIR at a "
                        "torch >= 2.9 (python -c 'import torch; print(torch.utils.cmake_prefix_path)').")
endif()
if(Torch_VERSION VERSION_LESS 2.9)
    message(FATAL_ERROR "LibTorch ${Torch_VERSION} in ${Torch_DIR} is too old: 2.9 or newer is needed.")
endif()
message(STATUS "LibTorch ${Torch_VERSION}: ${TORCH_INSTALL_PREFIX}")

add_library(calibench_torch INTERFACE)
# LibTorch's headers are not ours to warn about.
target_include_directories(calibench_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(calibench_torch INTERFACE ${TORCH_LIBRARIES})

# Our OpenMP loops must run on LibTorch's own threads: a wheel brings its OpenMP runtime along, and a second one in the
# process would keep a second set of threads spinning beside the first.
find_package(OpenMP REQUIRED COMPONENTS CXX)
file(GLOB _torch_openmp ${TORCH_INSTALL_PREFIX}/lib/libgomp*.so*)
add_library(calibench_openmp INTERFACE)
if(_torch_openmp)
    list(GET _torch_openmp 0 _torch_openmp)
    target_link_libraries(calibench_openmp INTERFACE ${_torch_openmp})
else()
    target_link_libraries(calibench_openmp INTERFACE ${OpenMP_CXX_LIBRARIES})
endif()
