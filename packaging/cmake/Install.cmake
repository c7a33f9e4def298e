# What `cmake --install` puts where a distribution looks for it; cpack makes an archive of the same.
# LibTorch is used where it lies when it was built with; CALIBENCH_INSTALL_TORCH installs a copy, for machines that have none.

include(GNUInstallDirs)
option(CALIBENCH_INSTALL_TORCH "Install a copy of LibTorch (CPU builds), so that the programs run where there is none" OFF)

set(_libraries ${CMAKE_INSTALL_LIBDIR}/calibench)  # of no use to other programs
file(RELATIVE_PATH _from_programs ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR}/calibench)
set(_rpath "$ORIGIN/${_from_programs}")

if(CALIBENCH_INSTALL_TORCH AND TARGET torch_cuda)
    message(FATAL_ERROR "CALIBENCH_INSTALL_TORCH copies CPU builds of LibTorch only: a CUDA build needs libraries of many packages beside its own. "
                        "Turn it off and keep LibTorch where it is.")
elseif(CALIBENCH_INSTALL_TORCH)
    set(_torch_libraries ${TORCH_INSTALL_PREFIX}/lib/libtorch.so ${TORCH_INSTALL_PREFIX}/lib/libtorch_cpu.so ${TORCH_INSTALL_PREFIX}/lib/libc10.so)
    file(GLOB _openmp ${TORCH_INSTALL_PREFIX}/lib/libgomp*.so*)
    install(PROGRAMS ${_torch_libraries} ${_openmp} DESTINATION ${_libraries})
else()
    list(APPEND _rpath ${TORCH_INSTALL_PREFIX}/lib)
    if(CALIBENCH_CUDA)
        list(APPEND _rpath ${CUDAToolkit_LIBRARY_DIR})
    endif()
endif()

set(_programs calibench-cli)
if(CALIBENCH_GUI)
    list(APPEND _programs calibench)
    install(FILES packaging/calibench.desktop DESTINATION ${CMAKE_INSTALL_DATADIR}/applications)
    install(FILES packaging/calibench.metainfo.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/metainfo RENAME io.github.calibench.Calibench.metainfo.xml)
    install(FILES resources/icons/calibench.svg DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps)
endif()
set_target_properties(${_programs} PROPERTIES INSTALL_RPATH "${_rpath}")
install(TARGETS ${_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS calibench_calm_threads LIBRARY DESTINATION ${_libraries})

install(FILES packaging/man/calibench-cli.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY resources/demo resources/recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/calibench PATTERN "*.py" EXCLUDE)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY resources/guide DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_VENDOR Calibench)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
