# Passes if PROGRAM is position-independent, its relocations are read-only before main, and it calls what the stack protector, the fortified
# functions of the C library and the assertions of the C++ library call (SECURITY.md, S13).
execute_process(COMMAND readelf -hldW --dyn-syms "${PROGRAM}" OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
set(traits "DYN \\(Position-Independent" "GNU_RELRO" "BIND_NOW" " __stack_chk_fail" "glibcxx_assert_fail")
if(FORTIFIED)
  list(APPEND traits " __[a-z]+_chk")
endif()
foreach(trait IN LISTS traits)
  if(NOT output MATCHES "${trait}")
    message(FATAL_ERROR "${PROGRAM} lacks ${trait}")
  endif()
endforeach()
