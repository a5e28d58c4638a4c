# What `cmake --install` puts where: headers, libraries, man pages, the CMake package and the pkg-config
# file.
# Targets that this build does not have (a driver whose library is absent) are left out; the package
# then says so when it is asked for them.

include(CMakePackageConfigHelpers)
set(TWIN_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/twinpool)

set_target_properties(twinpool PROPERTIES EXPORT_NAME twinpool)
install(DIRECTORY strategies/include/twinpool TYPE INCLUDE)
install(TARGETS twinpool EXPORT twinpool-targets)

foreach(target twinpool_connpool twinpool_connpool_sim)
    if(TARGET ${target})
        install(TARGETS ${target} EXPORT twinpool-targets)
    endif()
endforeach()
if(TARGET twinpool_connpool)
    install(DIRECTORY connpool/include/twinpool TYPE INCLUDE)
endif()
install(EXPORT twinpool-targets NAMESPACE twinpool:: DESTINATION ${TWIN_PACKAGE_DIR})

if(TARGET twin_man)
    install(DIRECTORY ${PROJECT_BINARY_DIR}/strategies/man/pages/ TYPE MAN)
endif()

# A file of its own: it needs SQLite, which users of the rest need not have.
if(TARGET twinpool_connpool_sqlite)
    install(TARGETS twinpool_connpool_sqlite EXPORT twinpool-sqlite-targets)
    install(EXPORT twinpool-sqlite-targets NAMESPACE twinpool:: DESTINATION ${TWIN_PACKAGE_DIR})
endif()

configure_package_config_file(strategies/cmake/twinpool-config.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/twinpool-config.cmake INSTALL_DESTINATION ${TWIN_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/twinpool-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/twinpool-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/twinpool-config-version.cmake DESTINATION ${TWIN_PACKAGE_DIR})

# pkg-config: what a static library needs is needed by everyone who links it; a shared one brings its
# own.
set(TWIN_PC_LIBS "")
foreach(name ${OpenMP_C_LIB_NAMES})
    string(APPEND TWIN_PC_LIBS " -l${name}")
endforeach()
if(BUILD_SHARED_LIBS)
    set(TWIN_PC_LIBS_STATIC "${TWIN_PC_LIBS}")
    set(TWIN_PC_LIBS "")
endif()
# The prefix, as seen from the file's own folder: the installed tree may be moved.
file(RELATIVE_PATH TWIN_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(strategies/cmake/twinpool.pc.in twinpool.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/twinpool.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
