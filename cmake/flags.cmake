# SPDX-License-Identifier: Apache-2.0
# One interface target carries every flag; nothing else sets any.
option(SF_WERROR "Warnings are errors" OFF)
option(SF_ANALYZE "gcc's static analyzer" OFF)
option(SF_COVERAGE "gcov counters" OFF)
option(SF_FUZZ "Build the fuzz targets (clang)" OFF)
set(SF_SANITIZE "" CACHE STRING "-fsanitize= list, without recovery")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g") # CMake's own would define NDEBUG: our asserts stay on
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

add_library(sf_flags INTERFACE)
target_include_directories(sf_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(sf_flags INTERFACE _GNU_SOURCE SF_VERSION="${PROJECT_VERSION}")
target_compile_options(sf_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wundef -Wvla
  -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wcast-qual
  -Wnull-dereference -Wimplicit-fallthrough -Wdouble-promotion
  $<$<C_COMPILER_ID:GNU>:-Wlogical-op;-Wduplicated-cond;-Wduplicated-branches;-Wjump-misses-init>
  $<$<C_COMPILER_ID:Clang>:-Wcomma;-Wconditional-uninitialized;-Wthread-safety>
  $<$<BOOL:${SF_WERROR}>:-Werror>
  $<$<BOOL:${SF_ANALYZE}>:-fanalyzer>
  -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero
  -fno-strict-overflow -fno-delete-null-pointer-checks
  $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-fcf-protection>)
target_link_options(sf_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT SF_SANITIZE AND NOT SF_FUZZ)
  target_compile_options(sf_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(SF_SANITIZE)
  target_compile_options(sf_flags INTERFACE -fsanitize=${SF_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sf_flags INTERFACE -fsanitize=${SF_SANITIZE})
endif()
if(SF_COVERAGE)
  target_compile_options(sf_flags INTERFACE --coverage)
  target_link_options(sf_flags INTERFACE --coverage)
endif()
if(SF_FUZZ)
  target_compile_options(sf_flags INTERFACE -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all)
  target_link_options(sf_flags INTERFACE -fsanitize=address,undefined)
endif()
