# The house in CMake: what a module, a test and a program are, and the floors that keep their order. Usage: CONTRIBUTING.md.

include_guard(GLOBAL)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
include(TidemarkThirdParty)

# Pairs "upper>lower" of optional modules on one floor of which the first may link the second. Every other link goes down.
set(TIDEMARK_SAME_FLOOR_LINKS "")

# Adds the module folders named, lowest floor first, as far as TIDEMARK_MODULES asks for them and they are there.
macro(tidemark_modules)
  set_property(GLOBAL PROPERTY TIDEMARK_KNOWN_MODULES "")
  foreach(_tidemark_folder ${ARGN})
    get_filename_component(_tidemark_name ${_tidemark_folder} NAME)
    set_property(GLOBAL APPEND PROPERTY TIDEMARK_KNOWN_MODULES ${_tidemark_name})
    if("${TIDEMARK_MODULES}" STREQUAL "all" OR "${_tidemark_name}" IN_LIST TIDEMARK_MODULES)
      tidemark_add_if_present(${_tidemark_folder})
    endif()
  endforeach()
endmacro()

macro(tidemark_add_if_present folder)
  if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt")
    add_subdirectory(${folder})
  endif()
endmacro()

# Adds every folder below this one that has a CMakeLists.txt, but for the projects of their own: consumer-*.
macro(tidemark_add_subfolders)
  file(GLOB _tidemark_lists CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt")
  list(FILTER _tidemark_lists EXCLUDE REGEX "/consumer-[a-z]+/CMakeLists.txt$")
  foreach(_tidemark_list ${_tidemark_lists})
    get_filename_component(_tidemark_folder "${_tidemark_list}" DIRECTORY)
    add_subdirectory("${_tidemark_folder}")
  endforeach()
endmacro()

# Flags for our own code when it is built for its own sake; a project that adds this one as a part keeps its own flags.
function(_tidemark_house_flags target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(NOT tidemark_IS_TOP_LEVEL)
    return()
  endif()
  # Clang's -Wshadow also warns of a member that has the name of something in the namespace.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic $<$<CXX_COMPILER_ID:GNU>:-Wshadow> -Wnon-virtual-dtor
                                           -Woverloaded-virtual -Werror)
  target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
  target_compile_options(${target} PRIVATE -fstack-protector-strong)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC bug 105651: GCC 12 warns of overlapping copies inside std::string's own operator+.
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(TIDEMARK_SANITIZE)
    # The instrumentation itself makes GCC see uninitialised values in std::optional and std::variant.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  else()
    # Fortification needs optimisation and hides errors from the sanitizers.
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  endif()
  target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now)
endfunction()

# Sets MISSING to the tidemark:: targets among ARGN that are not built here; refuses names that no module has.
function(_tidemark_missing missing)
  get_property(known GLOBAL PROPERTY TIDEMARK_KNOWN_MODULES)
  set(absent "")
  foreach(link IN LISTS ARGN)
    if(link MATCHES "^tidemark::(.+)$" AND NOT TARGET ${link})
      if(NOT CMAKE_MATCH_1 IN_LIST known)
        message(FATAL_ERROR "tidemark: ${link} is linked, but no module is called ${CMAKE_MATCH_1}")
      endif()
      list(APPEND absent ${link})
    endif()
  endforeach()
  set(${missing} "${absent}" PARENT_SCOPE)
endfunction()

# Compiles Cap'n Proto schemas into the target; the generated headers are included by their path in the module: "src/manifest.capnp.h".
function(_tidemark_capnp target)
  find_program(TIDEMARK_CAPNP capnp REQUIRED)
  mark_as_advanced(TIDEMARK_CAPNP)
  foreach(schema IN LISTS ARGN)
    set(generated "${CMAKE_CURRENT_BINARY_DIR}/capnp/${schema}")
    get_filename_component(folder "${generated}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    add_custom_command(
      OUTPUT "${generated}.c++" "${generated}.h"
      COMMAND "${TIDEMARK_CAPNP}" compile "-oc++:${CMAKE_CURRENT_BINARY_DIR}/capnp" "--src-prefix=${CMAKE_CURRENT_SOURCE_DIR}"
              "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
      DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
      VERBATIM)
    target_sources(${target} PRIVATE "${generated}.c++" "${generated}.h")
    set_source_files_properties("${generated}.c++" PROPERTIES COMPILE_OPTIONS -w)
  endforeach()
  target_include_directories(${target} SYSTEM PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/capnp")
endfunction()

# Declares the module NAME on FLOOR as the target tidemark::NAME.
#   SOURCES         its .cpp files                        HEADERS        its promised headers
#   DETAIL_HEADERS  installed, but not promised           CAPNP_SCHEMAS  schemas that its sources include
#   LINKS           modules of lower floors, by name      PRIVATE_LINKS  modules and third-party targets that only its sources include
#   PUBLIC_LINKS    third-party targets that its detail headers include
# An OPTIONAL module is one that a user may leave out; it stands above runtime.
function(tidemark_module)
  cmake_parse_arguments(PARSE_ARGV 0 arg "OPTIONAL" "NAME;FLOOR"
                        "SOURCES;HEADERS;DETAIL_HEADERS;CAPNP_SCHEMAS;LINKS;PRIVATE_LINKS;PUBLIC_LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tidemark_module(${arg_NAME}): unknown words ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_NAME OR NOT arg_FLOOR MATCHES "^[0-4]$")
    message(FATAL_ERROR "tidemark_module(${arg_NAME}): a NAME and a FLOOR from 0 to 4 are needed")
  endif()
  if(arg_OPTIONAL AND arg_FLOOR LESS 4)
    message(FATAL_ERROR "tidemark_module(${arg_NAME}): only modules of floor 4 are optional")
  endif()

  set(public_links ${arg_PUBLIC_LINKS})
  set(private_links "")
  foreach(link IN LISTS arg_LINKS)
    list(APPEND public_links tidemark::${link})
  endforeach()
  foreach(link IN LISTS arg_PRIVATE_LINKS)
    if(link MATCHES "::" OR link STREQUAL "rapidcheck")
      list(APPEND private_links ${link})
    else()
      list(APPEND private_links tidemark::${link})
    endif()
  endforeach()
  _tidemark_missing(missing ${public_links} ${private_links})
  if(missing)
    message(STATUS "tidemark: leaves out ${arg_NAME}, there is no ${missing}")
    return()
  endif()

  set(target tidemark_${arg_NAME})
  if(arg_SOURCES OR arg_CAPNP_SCHEMAS)
    # Static whatever BUILD_SHARED_LIBS says: nothing is exported from a shared library until there is an export macro.
    add_library(${target} STATIC)
    set(scope PUBLIC)
    target_sources(${target} PRIVATE ${arg_SOURCES})
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    _tidemark_house_flags(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(tidemark::${arg_NAME} ALIAS ${target})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS}
                                    FILE_SET detail_headers TYPE HEADERS BASE_DIRS include FILES ${arg_DETAIL_HEADERS})
  # Only promised headers must compile alone: a detail header may be a part of the one that includes it.
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_NAME} TIDEMARK_FLOOR ${arg_FLOOR}
                                             VERIFY_INTERFACE_HEADER_SETS ON INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)

  set(modules "")
  set(third_party "")
  foreach(link IN LISTS public_links private_links)
    if(link MATCHES "^tidemark::(.+)$")
      set(name ${CMAKE_MATCH_1})
      get_target_property(floor tidemark_${name} TIDEMARK_FLOOR)
      if(NOT floor LESS arg_FLOOR AND NOT "${arg_NAME}>${name}" IN_LIST TIDEMARK_SAME_FLOOR_LINKS)
        message(FATAL_ERROR "tidemark: ${arg_NAME} (floor ${arg_FLOOR}) must not link ${name} (floor ${floor}); links go down")
      endif()
      list(APPEND modules ${name})
    else()
      list(APPEND third_party ${link})
    endif()
  endforeach()
  tidemark_third_party(${third_party})
  target_link_libraries(${target} ${scope} ${public_links})
  if(private_links)
    target_link_libraries(${target} PRIVATE ${private_links})
  endif()
  if(arg_CAPNP_SCHEMAS)
    _tidemark_capnp(${target} ${arg_CAPNP_SCHEMAS})
  endif()

  set_property(GLOBAL APPEND PROPERTY TIDEMARK_BUILT_MODULES ${arg_NAME})
  set_target_properties(${target} PROPERTIES TIDEMARK_HEADERS "${arg_HEADERS}")
  if(TIDEMARK_INSTALL)
    _tidemark_install_module("${arg_NAME}" "${modules}" "${third_party}")
  endif()
endfunction()

function(_tidemark_install_module name modules third_party)
  set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tidemark")
  install(TARGETS tidemark_${name} EXPORT tidemark-${name}-targets
          ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
          FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
          FILE_SET detail_headers DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(EXPORT tidemark-${name}-targets NAMESPACE tidemark:: DESTINATION "${package_dir}")
  set(TIDEMARK_COMPONENT "${name}")
  set(TIDEMARK_COMPONENT_MODULES "${modules}")
  set(TIDEMARK_COMPONENT_THIRD_PARTY "${third_party}")
  set(config "${tidemark_BINARY_DIR}/package/tidemark-${name}-config.cmake")
  configure_file("${tidemark_SOURCE_DIR}/cmake/tidemark-component-config.cmake.in" "${config}" @ONLY)
  install(FILES "${config}" DESTINATION "${package_dir}")
endfunction()

# Declares what find_package(tidemark) reads first. Call it after the modules.
function(tidemark_install_package)
  set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tidemark")
  get_property(TIDEMARK_COMPONENTS GLOBAL PROPERTY TIDEMARK_BUILT_MODULES)
  configure_file("${tidemark_SOURCE_DIR}/cmake/tidemark-config.cmake.in" "${tidemark_BINARY_DIR}/package/tidemark-config.cmake" @ONLY)
  write_basic_package_version_file("${tidemark_BINARY_DIR}/package/tidemark-config-version.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${tidemark_BINARY_DIR}/package/tidemark-config.cmake" "${tidemark_BINARY_DIR}/package/tidemark-config-version.cmake"
                "${tidemark_SOURCE_DIR}/cmake/TidemarkThirdParty.cmake"
          DESTINATION "${package_dir}")
endfunction()

# Declares an executable, or leaves it out when a module that it links is not built. Sets BUILT in the caller.
function(_tidemark_executable name built)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "SOURCES;LINKS")
  set(${built} FALSE PARENT_SCOPE)
  _tidemark_missing(missing ${arg_LINKS})
  if(missing)
    message(STATUS "tidemark: leaves out ${name}, there is no ${missing}")
    return()
  endif()
  set(third_party ${arg_LINKS})
  list(FILTER third_party EXCLUDE REGEX "^tidemark::")
  tidemark_third_party(${third_party})
  add_executable(${name} ${arg_SOURCES})
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_link_libraries(${name} PRIVATE ${arg_LINKS})
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  _tidemark_house_flags(${name})
  set(${built} TRUE PARENT_SCOPE)
endfunction()

# Declares the program NAME, built into <build>/bin, and with INSTALL a part of the install tree.
function(tidemark_program)
  cmake_parse_arguments(PARSE_ARGV 0 arg "INSTALL" "NAME" "SOURCES;LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tidemark_program(${arg_NAME}): unknown words ${arg_UNPARSED_ARGUMENTS}")
  endif()
  _tidemark_executable(${arg_NAME} built SOURCES ${arg_SOURCES} LINKS ${arg_LINKS})
  if(built)
    set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${tidemark_BINARY_DIR}/bin")
    if(arg_INSTALL AND TIDEMARK_INSTALL)
      install(TARGETS ${arg_NAME} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
    endif()
  endif()
endfunction()

# For what belongs to tests alone, which is compiled more often than it runs. With a sanitizer's instrumentation GCC takes three times as
# long to optimise as it takes for all the rest.
function(tidemark_test_flags target)
  if(TIDEMARK_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
    if(TIDEMARK_SANITIZE STREQUAL "thread")
      # Unoptimised, GCC does not see that a check which always fails does not return; with UBSan it does not ask.
      target_compile_options(${target} PRIVATE -Wno-return-type)
    endif()
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

# Declares a GoogleTest program; each of its tests is a test of ctest. TIMEOUT is in seconds for each test (default 120); under a sanitizer
# they get three times that. Sources may include the private headers of the modules named in INTERNALS, by their path in the module:
# "src/hot_table.hpp".
function(tidemark_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT" "SOURCES;LINKS;LABELS;INTERNALS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tidemark_test(${arg_NAME}): unknown words ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(TIDEMARK_SANITIZE)
    math(EXPR arg_TIMEOUT "3 * ${arg_TIMEOUT}")
  endif()
  # What would not run is not built either: with instrumentation that takes memory of its own, and where all is on one thread.
  if(TIDEMARK_SANITIZE AND "release-only" IN_LIST arg_LABELS)
    return()
  endif()
  if(TIDEMARK_SANITIZE STREQUAL "thread" AND NOT arg_LABELS MATCHES "^(runtime|threads)$")
    return()
  endif()
  _tidemark_executable(${arg_NAME} built SOURCES ${arg_SOURCES} LINKS ${arg_LINKS} GTest::gmock_main)
  if(NOT built)
    return()
  endif()
  foreach(module IN LISTS arg_INTERNALS)
    get_target_property(folder tidemark_${module} SOURCE_DIR)
    target_include_directories(${arg_NAME} PRIVATE "${folder}")
  endforeach()
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${tidemark_BINARY_DIR}/tests")
  tidemark_test_flags(${arg_NAME})
  include(GoogleTest)
  gtest_discover_tests(${arg_NAME} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()

# Declares a test that SOURCE does not compile, and that the first error holds the sentence SAYS, word for word. LINKS names one module.
function(tidemark_refusal)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;SOURCE;LINKS;SAYS" "")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SAYS)
    message(FATAL_ERROR "tidemark_refusal(${arg_NAME}): SAYS is missing, or unknown words ${arg_UNPARSED_ARGUMENTS}")
  endif()
  _tidemark_missing(missing ${arg_LINKS})
  # The instrumentation changes no message.
  if(missing OR TIDEMARK_SANITIZE)
    return()
  endif()
  set(include_dirs "$<TARGET_PROPERTY:${arg_LINKS},INTERFACE_INCLUDE_DIRECTORIES>")
  set(compile "${CMAKE_CXX_COMPILER};-std=c++20;-fsyntax-only;-I$<JOIN:${include_dirs},;-I>;${CMAKE_CURRENT_SOURCE_DIR}/${arg_SOURCE}")
  add_test(NAME ${arg_NAME} COMMAND ${CMAKE_COMMAND} "-DCOMMAND=${compile}" "-DSAYS=${arg_SAYS}"
                                    -P "${tidemark_SOURCE_DIR}/cmake/must_not_compile.cmake")
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "repository" TIMEOUT 120)
endfunction()
