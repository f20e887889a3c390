# How a room is declared. A room's headers are reached as "room/header.h" and only by those that
# link it: hearth_room publishes its own folder alone, through a per-room include root.

add_library(hearth_flags INTERFACE)
target_compile_options(hearth_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wconversion
  -Wno-sign-conversion -fno-omit-frame-pointer)
if(HEARTH_SANITIZE)
  # A finding ends the program, so that a test which meets one fails.
  target_compile_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE}
    -fno-sanitize-recover=all)
  target_link_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND HEARTH_FUZZERS)
  target_compile_options(hearth_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# hearth_room(NAME [SOURCES …] [LINK …]): library hearth_NAME from src/NAME.
function(hearth_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINK" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} SYMBOLIC)
  if(ROOM_SOURCES)
    add_library(hearth_${name} STATIC ${ROOM_SOURCES})
    target_include_directories(hearth_${name} PUBLIC ${root})
    target_link_libraries(hearth_${name} PUBLIC ${ROOM_LINK} PRIVATE hearth_flags)
  else()
    add_library(hearth_${name} INTERFACE)
    target_include_directories(hearth_${name} INTERFACE ${root})
    target_link_libraries(hearth_${name} INTERFACE ${ROOM_LINK})
  endif()
endfunction()

# hearth_test(ROOM SOURCES …): one GoogleTest program per room, its cases known to ctest by name.
include(GoogleTest)
function(hearth_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name}_test ${TEST_SOURCES})
  target_link_libraries(${name}_test PRIVATE hearth_${name} ${TEST_LINK} hearth_flags
    GTest::gtest GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name}_test TEST_PREFIX ${name}. PROPERTIES TIMEOUT 120
    DISCOVERY_TIMEOUT 60)
endfunction()

# hearth_fuzzer(NAME SOURCE LINK …): a libFuzzer program with a corpus in fuzz/corpus/NAME. Without
# HEARTH_FUZZERS the same source is a test that replays the corpus.
function(hearth_fuzzer name source)
  cmake_parse_arguments(FUZZ "" "" "LINK" ${ARGN})
  if(HEARTH_FUZZERS)
    add_executable(fuzz_${name} ${source})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${source} ${PROJECT_SOURCE_DIR}/fuzz/replay_main.cc)
    add_test(NAME corpus.${name}
      COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
  endif()
  target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_LINK} hearth_flags)
endfunction()
