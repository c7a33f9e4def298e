# ui.run_controller once more under the thread sanitizer, in every build: all code that two threads touch is compiled into the
# program with it. Qt itself is not, which is why the controller lets nothing cross in Qt's events (run_controller.h).
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -fsanitize=thread)
check_cxx_source_compiles("int main() { return 0; }" CALIBENCH_HAS_THREAD_SANITIZER)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT CALIBENCH_HAS_THREAD_SANITIZER)
    message(STATUS "Test ui.run_controller_tsan is left out: the compiler has no thread sanitizer, or another one is on.")
    return()
endif()

add_executable(tst_ui_run_controller_tsan
    tst_run_controller.cpp
    ${PROJECT_SOURCE_DIR}/core/base/run_control.cpp
    ${PROJECT_SOURCE_DIR}/ui/plots/series_store.cpp
    ${PROJECT_SOURCE_DIR}/ui/run_controller.cpp
    ${PROJECT_SOURCE_DIR}/ui/run_feed.cpp
    ${PROJECT_SOURCE_DIR}/ui/run_record.cpp
    ${PROJECT_SOURCE_DIR}/ui/run_replay.cpp)
set_target_properties(tst_ui_run_controller_tsan PROPERTIES AUTOMOC ON RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_include_directories(tst_ui_run_controller_tsan PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_definitions(tst_ui_run_controller_tsan PRIVATE QT_NO_KEYWORDS)
target_compile_options(tst_ui_run_controller_tsan PRIVATE -fsanitize=thread -O1 -g1)
target_link_options(tst_ui_run_controller_tsan PRIVATE -fsanitize=thread)
target_link_libraries(tst_ui_run_controller_tsan PRIVATE nlohmann_json::nlohmann_json Qt6::Test calibench_warnings)
add_test(NAME ui.run_controller_tsan COMMAND tst_ui_run_controller_tsan)
set_tests_properties(ui.run_controller_tsan PROPERTIES TIMEOUT 300 ENVIRONMENT
    "TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/thread_sanitizer.suppressions")
