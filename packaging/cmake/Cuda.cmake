# The CUDA kernels: built where LibTorch is a CUDA build and nvcc is at hand; the same program runs on the CPU where no GPU is found.
# Their library links no LibTorch, so that nvcc never reads its headers; the architectures are LibTorch's (TORCH_CUDA_ARCH_LIST).

set(CALIBENCH_CUDA OFF)
if(TARGET torch_cuda)  # LibTorch's package has enabled the language, with its flags
    find_package(CUDAToolkit REQUIRED)
    set(CALIBENCH_CUDA ON)
    message(STATUS "CUDA kernels: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION}")
endif()
