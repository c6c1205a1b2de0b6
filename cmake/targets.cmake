# SPDX-License-Identifier: Apache-2.0
# The folders' arrows are written here once more, as link lines: a library that
# may not include another one cannot link it either (tests/arch/arrows.sh checks the includes).

# sf_library(NAME LIBS…): every .c of this folder and those in it, as static library sf_NAME;
# but no main.c, and nothing of sim/, which is a program of its own.
function(sf_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$|/sim/")
  add_library(sf_${name} STATIC ${sources})
  target_link_libraries(sf_${name} PUBLIC sf_flags ${ARGN})
endfunction()

# sf_program(NAME LIBS…): main.c of this folder as program NAME in build/<preset>/bin; installed.
function(sf_program name)
  add_executable(${name} main.c)
  target_link_libraries(${name} PRIVATE ${ARGN})
  target_link_options(${name} PRIVATE -pie)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
