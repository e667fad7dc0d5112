# Passes if PROGRAM is position-independent and its relocations are read-only before main (SECURITY.md, S13).
execute_process(COMMAND readelf -hldW "${PROGRAM}" OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
foreach(trait "DYN \\(Position-Independent" "GNU_RELRO" "BIND_NOW")
  if(NOT output MATCHES "${trait}")
    message(FATAL_ERROR "${PROGRAM} lacks ${trait}")
  endif()
endforeach()
