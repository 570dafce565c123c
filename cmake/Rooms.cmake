# One CMake target per room; the targets have the same edges as the layers (docs/architecture.md), and
# tests/tidy reads the include graph so that neither drifts.

add_library(bascule_options INTERFACE)
target_compile_options(bascule_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -fno-omit-frame-pointer)
# GCC 12 reports members of std::variant alternatives as maybe uninitialised where they are not.
target_compile_options(bascule_options INTERFACE -Wno-maybe-uninitialized)
target_include_directories(bascule_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(BASCULE_SANITIZE)
  target_compile_options(bascule_options INTERFACE -fsanitize=${BASCULE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(bascule_options INTERFACE -fsanitize=${BASCULE_SANITIZE})
endif()

# bascule_room(NAME SOURCES ... [DEPENDS ...]): the static library bascule_NAME.
function(bascule_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(bascule_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(bascule_${name} PUBLIC bascule_options ${ARG_DEPENDS})
endfunction()

# bascule_program(NAME SOURCES ... [DEPENDS ...] [DAEMON | DEVELOPMENT]): an installed program called NAME (with dashes),
# in bin; in sbin if it is a DAEMON; not installed if it is only for DEVELOPMENT.
function(bascule_program name)
  cmake_parse_arguments(ARG "DAEMON;DEVELOPMENT" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE bascule_options ${ARG_DEPENDS})
  if(ARG_DAEMON)
    install(TARGETS ${name} RUNTIME DESTINATION sbin)
  elseif(NOT ARG_DEVELOPMENT)
    install(TARGETS ${name} RUNTIME DESTINATION bin)
  endif()
endfunction()

# bascule_test(NAME SOURCES ... [DEPENDS ...] [LABELS ...] [SEPARATE]): one GoogleTest program, one ctest entry.
# SEPARATE: its files give the same names to different helpers, so each is compiled alone also in a unity build.
function(bascule_test name)
  if(NOT BASCULE_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "SEPARATE" "" "SOURCES;DEPENDS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE bascule_options ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(ARG_SEPARATE)
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set(timeout_s 300)
  if(BASCULE_SANITIZE)
    set(timeout_s 1500) # the simulations are five times slower there
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "unit;${ARG_LABELS}" TIMEOUT ${timeout_s})
endfunction()

# bascule_fuzz(NAME SOURCE ... ): a fuzz target. Without libFuzzer it is built with a small main() that replays
# files and then feeds seeded random mutations, so that every parser is fuzzed a little in each ./test.
function(bascule_fuzz name)
  if(NOT BASCULE_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(BASCULE_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name} COMMAND ${name} --runs=20000)
    set_tests_properties(${name} PROPERTIES LABELS "fuzz" TIMEOUT 300)
  endif()
  target_link_libraries(${name} PRIVATE bascule_options ${ARG_DEPENDS})
endfunction()
