# PCRE2 for 8-bit code units as PCRE2::8BIT, the name that its own CMake package uses; most distributions ship pkg-config files only.

find_path(PCRE2_INCLUDE_DIR pcre2.h)
find_library(PCRE2_LIBRARY pcre2-8)
mark_as_advanced(PCRE2_INCLUDE_DIR PCRE2_LIBRARY)

if(PCRE2_INCLUDE_DIR)
    file(STRINGS ${PCRE2_INCLUDE_DIR}/pcre2.h _version REGEX "^#define PCRE2_(MAJOR|MINOR)[ \t]+[0-9]+")
    list(TRANSFORM _version REPLACE "^[^0-9]*2_[A-Z]+[ \t]+([0-9]+).*" "\\1")
    list(JOIN _version "." PCRE2_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PCRE2 REQUIRED_VARS PCRE2_LIBRARY PCRE2_INCLUDE_DIR VERSION_VAR PCRE2_VERSION)

if(PCRE2_FOUND AND NOT TARGET PCRE2::8BIT)
    add_library(PCRE2::8BIT UNKNOWN IMPORTED)
    set_target_properties(PCRE2::8BIT PROPERTIES IMPORTED_LOCATION ${PCRE2_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${PCRE2_INCLUDE_DIR})
endif()
