# SPDX-License-Identifier: Apache-2.0
# sf_embed(TARGET SYMBOL FILE): FILE becomes `const char SYMBOL[]` (NUL-terminated) and
# `const size_t SYMBOL_len` in TARGET, so that a program needs nothing beside it.
function(sf_embed target symbol file)
  set(path ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embed_${symbol}.c)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DIN=${path} -DOUT=${out} -DSYMBOL=${symbol}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
    DEPENDS ${path} ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
