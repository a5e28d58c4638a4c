# The tests of a build with ThreadSanitizer: the process protocol on threads, and the engine's units.

add_library(twin_contract STATIC
    plain/runner.c toolkit.c procfs.c contract_pool.c contract_memory.c contract_map.c contract_apply.c
    contract_async.c contract_pressure.c contract_callback.c contract_executor.c contract_stop.c contract_imap.c contract_stats.c)
target_include_directories(twin_contract PUBLIC plain ${PROJECT_SOURCE_DIR}/strategies)
target_link_libraries(twin_contract PUBLIC twin_build twinpool Threads::Threads)

foreach(strategy pool memory map map_async apply apply_async callback executor_submit executor_map resize imap stats)
    add_executable(${strategy}_control ${strategy}_control.c)
    target_link_libraries(${strategy}_control PRIVATE twin_contract)
    add_test(NAME ${strategy}_control COMMAND ${strategy}_control)
    set_tests_properties(${strategy}_control PROPERTIES LABELS control)
endforeach()
add_executable(differential differential.c)
target_link_libraries(differential PRIVATE twin_contract)
add_test(NAME differential_control COMMAND differential --filter=differential_control/*)
set_tests_properties(differential_control PROPERTIES LABELS control)
add_executable(engine_reuse engine_reuse.c)
target_link_libraries(engine_reuse PRIVATE twin_contract)
add_test(NAME engine_reuse COMMAND engine_reuse)
set_tests_properties(engine_reuse PROPERTIES LABELS control)
