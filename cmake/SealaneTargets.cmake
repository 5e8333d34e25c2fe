# Helpers for the few kinds of target there are. One folder = one library = one namespace.
#
#   sealane_library(NAME core SRCS a.cc b.cc DEPS sealane::model absl::status [PRIVATE_DEPS ...])
#       static library sealane_<name>, alias sealane::<name>
#   sealane_binary(NAME sealane-policy SRCS main.cc DEPS ...)
#       executable in build/<preset>/bin
#   sealane_test(NAME core_test SRCS a_test.cc DEPS ... [LABELS unit] [TIMEOUT 120] [ARGS ...])
#       GoogleTest program, one ctest entry
#   sealane_benchmark(NAME pipeline_benchmark SRCS ... DEPS ...)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
# Libraries and programs can share precompiled headers only with the same flags: the compiler's own.
if(NOT SEALANE_PCH)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()

# Without this permission the compiler cache does nothing for files that use precompiled headers.
find_program(SEALANE_CCACHE ccache)
if(SEALANE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros "${SEALANE_CCACHE}")
endif()

add_library(sealane_flags INTERFACE)
target_compile_options(sealane_flags INTERFACE -Wall -Wextra)
# The sanitizers' own code makes GCC 12 warn of what is not there; the other builds stop at warnings.
if(NOT SEALANE_SANITIZER)
  target_compile_options(sealane_flags INTERFACE -Werror)
endif()
# In a unity build everything but its own file is "included" and takes this for a header's fault.
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(sealane_flags INTERFACE -Wno-subobject-linkage)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(sealane_flags INTERFACE -Wthread-safety)
endif()
target_include_directories(sealane_flags INTERFACE "${CMAKE_SOURCE_DIR}")
if(SEALANE_SANITIZER)
  target_compile_options(sealane_flags INTERFACE -fsanitize=${SEALANE_SANITIZER}
                                                 -fno-omit-frame-pointer)
  target_link_options(sealane_flags INTERFACE -fsanitize=${SEALANE_SANITIZER})
  if(SEALANE_SANITIZER MATCHES "undefined")
    # Null pointers are AddressSanitizer's to find, and these machines take any alignment: the two
    # checks cost a good part of the time that the sanitizers' build takes.
    target_compile_options(sealane_flags INTERFACE -fno-sanitize-recover=undefined
                                                   -fno-sanitize=null,alignment)
  endif()
endif()

# More than half the time of compiling a file goes into the same dozen headers: they are compiled
# once per build, and once more with GoogleTest and the flags of tests.
set(SEALANE_PCH_HEADERS
  <algorithm> <array> <cstdint> <deque> <functional> <map> <memory> <optional> <set> <string>
  <string_view> <tuple> <utility> <vector> <absl/container/flat_hash_map.h>
  <absl/container/flat_hash_set.h> <absl/status/statusor.h> <absl/strings/str_cat.h>
  <absl/time/time.h> <google/protobuf/generated_message_reflection.h> <google/protobuf/map.h>
  <google/protobuf/message.h> <google/protobuf/repeated_field.h>
  <google/protobuf/unknown_field_set.h> <nlohmann/json.hpp>)
# A test takes longer to optimise than to run.
add_library(sealane_test_flags INTERFACE)
if(SEALANE_PCH)
  target_compile_options(sealane_test_flags INTERFACE -O0)
endif()

function(sealane_make_pch name)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS" ${ARGN})
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/${name}.cc" CONTENT "")
  add_library(${name} OBJECT "${CMAKE_BINARY_DIR}/${name}.cc")
  target_link_libraries(${name} PRIVATE sealane_flags absl::status absl::statusor absl::time
    absl::flat_hash_map absl::flat_hash_set nlohmann_json::nlohmann_json protobuf::libprotobuf
    ${ARG_DEPS})
  target_precompile_headers(${name} PRIVATE ${SEALANE_PCH_HEADERS} ${ARG_HEADERS})
endfunction()

if(SEALANE_PCH)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # What the compiler cache needs to follow them.
    target_compile_options(sealane_flags INTERFACE -fpch-preprocess)
  endif()
  sealane_make_pch(sealane_pch)
  if(SEALANE_BUILD_TESTS)
    sealane_make_pch(sealane_test_pch HEADERS <gmock/gmock.h> <gtest/gtest.h>
                     DEPS sealane_test_flags GTest::gtest GTest::gmock)
  endif()
endif()

# For services that turn over many small rows: their allocations cost a third less than with glibc.
# The sanitizers bring an allocator of their own.
add_library(sealane_allocator INTERFACE)
add_library(sealane::allocator ALIAS sealane_allocator)
if(NOT SEALANE_SANITIZER)
  target_link_libraries(sealane_allocator INTERFACE PkgConfig::jemalloc)
endif()

# sealane_precompile(TARGET [PCH]): the target uses the precompiled headers, where there are any.
function(sealane_precompile target)
  set(pch sealane_pch ${ARGN})
  list(GET pch -1 pch)
  if(TARGET ${pch})
    target_precompile_headers(${target} REUSE_FROM ${pch})
  endif()
endfunction()

function(sealane_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(sealane_${ARG_NAME} STATIC ${ARG_SRCS})
  add_library(sealane::${ARG_NAME} ALIAS sealane_${ARG_NAME})
  target_link_libraries(sealane_${ARG_NAME} PUBLIC sealane_flags ${ARG_DEPS}
                        PRIVATE ${ARG_PRIVATE_DEPS})
  sealane_precompile(sealane_${ARG_NAME})
endfunction()

function(sealane_binary)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE sealane_flags ${ARG_DEPS})
  sealane_precompile(${ARG_NAME})
endfunction()

function(sealane_benchmark)
  sealane_binary(${ARGN})
endfunction()

function(sealane_test)
  cmake_parse_arguments(ARG "" "NAME;TIMEOUT" "SRCS;DEPS;LABELS;ARGS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE sealane_flags sealane_test_flags sealane::test_support
                        ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${ARG_NAME} PRIVATE
    SEALANE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SEALANE_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  sealane_precompile(${ARG_NAME} sealane_test_pch)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME} ${ARG_ARGS})
  set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
