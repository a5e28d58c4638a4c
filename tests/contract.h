/* contract.h: the promises of strategies/strategy.h, each held once, for every arm.
 *
 * A promise is a function  family_promise(arm)  in contract_<family>.c. A list below names the
 * promises of a family; a pair file (map_proc.c, map_omp.c, ...) is that list applied to one arm:
 *
 *     MAP_PROMISES(KEEPS, map_proc, arm_proc)
 *
 * which makes a Criterion suite  strategy_backend  with a test named after each promise. Every test
 * runs in a fresh process under a watchdog: a hang is a failure.
 *
 * The arms: proc, omp, and control, which runs the process protocol on POSIX threads, so that
 * ThreadSanitizer can see it. twin_sequential_map() is the oracle of all of them. */
#ifndef TWIN_TESTS_CONTRACT_H
#define TWIN_TESTS_CONTRACT_H

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <twinpool/pool.h>

struct arm {
    const char *name;
    enum twin_backend backend;
    int (*open)(struct twin_pool **, const struct twin_pool_options *);
    int (*open_executor)(struct twin_executor **, const struct twin_pool_options *);
    bool processes;      /* tasks run in other processes: private memory is staged */
    bool starts_at_once; /* work starts when it is submitted, not at the first wait */
    bool caller_works;   /* the caller is one of the workers */
};

extern const struct arm arm_proc, arm_omp, arm_control;

#define WATCHDOG_SECONDS 60

#define DECLARES(suite, arm, family, promise) void family##_##promise(const struct arm *arm);
#define KEEPS(suite, arm, family, promise)                                                         \
    Test(suite, promise, .timeout = WATCHDOG_SECONDS)                                              \
    {                                                                                              \
        family##_##promise(&arm);                                                                  \
    }

/* ---- the promises ------------------------------------------------------------------------------
 */

#define POOL_PROMISES(P, suite, arm)                                                               \
    P(suite, arm, pool, opens_and_closes_again_and_again)                                          \
    P(suite, arm, pool, takes_defaults)                                                            \
    P(suite, arm, pool, refuses_bad_arguments_one_by_one)                                          \
    P(suite, arm, pool, refuses_options_it_does_not_honour)                                        \
    P(suite, arm, pool, is_closed_after_shutdown)                                                  \
    P(suite, arm, pool, is_closed_after_terminate)                                                 \
    P(suite, arm, pool, belongs_to_the_process_that_opened_it)                                     \
    P(suite, arm, pool, refuses_nested_use)                                                        \
    P(suite, arm, pool, runs_the_initializer_once_in_each_worker)                                  \
    P(suite, arm, pool, reports_a_failing_initializer)                                             \
    P(suite, arm, pool, leaves_no_child_no_fd_and_no_mapping)                                      \
    P(suite, arm, pool, leaves_signal_handlers_alone)                                              \
    P(suite, arm, pool, runs_with_two_hundred_workers)                                             \
    P(suite, arm, pool, scope_completes_what_its_body_submitted)                                   \
    P(suite, arm, pool, scope_works_while_its_body_goes_on)                                        \
    P(suite, arm, pool, scope_hands_on_the_code_of_its_body)                                       \
    P(suite, arm, pool, scope_in_scope_is_nested)                                                  \
    P(suite, arm, pool, scope_allows_map_and_apply)                                                \
    P(suite, arm, pool, prints_what_tasks_print_once)

#define MEMORY_PROMISES(P, suite, arm)                                                             \
    P(suite, arm, memory, is_aligned_and_zeroed)                                                   \
    P(suite, arm, memory, is_zeroed_again_after_reuse)                                             \
    P(suite, arm, memory, ends_at_shared_bytes)                                                    \
    P(suite, arm, memory, is_seen_by_all_workers_at_the_same_address)                              \
    P(suite, arm, memory, blocks_do_not_overlap)                                                   \
    P(suite, arm, memory, outlives_its_pool)                                                       \
    P(suite, arm, memory, refuses_a_worker)                                                        \
    P(suite, arm, memory, refuses_a_forked_child)                                                  \
    P(suite, arm, memory, ignores_a_pointer_that_is_no_block)

/* Promises of both map and map_async; a driver that differs calls the map. */
#define BULK_PROMISES(P, suite, arm, family)                                                       \
    P(suite, arm, family, keeps_order)                                                             \
    P(suite, arm, family, runs_each_item_exactly_once)                                             \
    P(suite, arm, family, accepts_no_items)                                                        \
    P(suite, arm, family, accepts_one_item)                                                        \
    P(suite, arm, family, accepts_fewer_items_than_workers)                                        \
    P(suite, arm, family, takes_any_chunk)                                                         \
    P(suite, arm, family, hands_a_kernel_whole_chunks)                                             \
    P(suite, arm, family, reports_the_lowest_failing_index)                                        \
    P(suite, arm, family, reports_the_first_item_of_a_failing_chunk)                               \
    P(suite, arm, family, goes_on_after_a_failure)                                                 \
    P(suite, arm, family, takes_private_and_shared_memory)                                         \
    P(suite, arm, family, hands_on_the_context_by_copy_and_by_address)                             \
    P(suite, arm, family, takes_items_and_results_of_any_size)

#define MAP_PROMISES(P, suite, arm)                                                                \
    BULK_PROMISES(P, suite, arm, map)                                                              \
    P(suite, arm, map, squares_a_million)                                                          \
    P(suite, arm, map, completes_under_contention)                                                 \
    P(suite, arm, map, lets_tasks_wait_for_each_other)                                             \
    P(suite, arm, map, has_all_workers_for_tasks_that_sleep)

#define MAP_ASYNC_PROMISES(P, suite, arm)                                                          \
    BULK_PROMISES(P, suite, arm, map_async)                                                        \
    P(suite, arm, map_async, keeps_many_in_flight)                                                 \
    P(suite, arm, map_async, overlaps_with_the_body_of_a_scope)                                    \
    P(suite, arm, map_async, answers_again_and_after_close)

#define APPLY_PROMISES(P, suite, arm)                                                              \
    P(suite, arm, apply, returns_what_a_direct_call_returns)                                       \
    P(suite, arm, apply, hands_on_the_context_by_copy_and_by_address)                              \
    P(suite, arm, apply, takes_items_and_results_of_any_size)                                      \
    P(suite, arm, apply, takes_no_item_and_no_result)                                              \
    P(suite, arm, apply, reports_the_code_of_the_task)                                             \
    P(suite, arm, apply, survives_twenty_failures_in_a_row)                                        \
    P(suite, arm, apply, runs_each_call_exactly_once)

#define APPLY_ASYNC_PROMISES(P, suite, arm)                                                        \
    P(suite, arm, apply_async, returns_what_direct_calls_return)                                   \
    P(suite, arm, apply_async, runs_each_call_exactly_once)                                        \
    P(suite, arm, apply_async, copies_item_and_context_at_once)                                    \
    P(suite, arm, apply_async, takes_items_and_results_of_any_size)                                \
    P(suite, arm, apply_async, reports_the_code_of_each_task)                                      \
    P(suite, arm, apply_async, follows_the_cancel_matrix)                                          \
    P(suite, arm, apply_async, times_out_and_then_succeeds)                                        \
    P(suite, arm, apply_async, answers_again_and_after_close)                                      \
    P(suite, arm, apply_async, runs_what_was_released)                                             \
    P(suite, arm, apply_async, waits_for_all_first_and_first_failure)                              \
    P(suite, arm, apply_async, accepts_null_and_duplicates_in_a_wait)                              \
    P(suite, arm, apply_async, saturates_exactly_its_workers)                                      \
    P(suite, arm, apply_async, lets_tasks_wait_for_each_other)                                     \
    P(suite, arm, apply_async, starts_what_nobody_waits_for)                                       \
    P(suite, arm, apply_async, terminates_ten_thousand_long_sleeps)                                \
    P(suite, arm, apply_async, finishes_fifty_sleeps_at_shutdown)                                  \
    P(suite, arm, apply_async, goes_past_max_pending)                                              \
    P(suite, arm, apply_async, can_be_tried_without_waiting)                                       \
    P(suite, arm, apply_async, sends_a_blocked_submitter_home)                                     \
    P(suite, arm, apply_async, takes_memory_for_max_pending_calls_only)

#define CALLBACK_PROMISES(P, suite, arm)                                                           \
    P(suite, arm, callback, runs_once_in_order_on_the_waiting_thread)                              \
    P(suite, arm, callback, has_run_when_the_wait_returns)                                         \
    P(suite, arm, callback, runs_at_the_end_of_a_scope)                                            \
    P(suite, arm, callback, keeps_a_released_future_until_close)                                   \
    P(suite, arm, callback, of_a_complete_future_runs_at_once)                                     \
    P(suite, arm, callback, tells_every_outcome)                                                   \
    P(suite, arm, callback, may_submit_wait_and_register)                                          \
    P(suite, arm, callback, refuses_bad_arguments)                                                 \
    P(suite, arm, callback, is_beside_iteration_as_they_complete)                                  \
    P(suite, arm, callback, iteration_gives_each_of_many_once)                                     \
    P(suite, arm, callback, iteration_times_out_and_can_be_given_up)

#define EXECUTOR_SUBMIT_PROMISES(P, suite, arm)                                                    \
    P(suite, arm, executor_submit, returns_what_direct_calls_return)                               \
    P(suite, arm, executor_submit, starts_workers_on_demand)                                       \
    P(suite, arm, executor_submit, cancels_until_it_runs)                                          \
    P(suite, arm, executor_submit, reports_the_code_of_each_task)                                  \
    P(suite, arm, executor_submit, refuses_bad_arguments_one_by_one)                               \
    P(suite, arm, executor_submit, is_closed_after_shutdown)                                       \
    P(suite, arm, executor_submit, cancels_what_is_pending_at_shutdown)                            \
    P(suite, arm, executor_submit, shuts_down_after_a_cancel)                                      \
    P(suite, arm, executor_submit, leaves_no_child_no_fd_and_no_mapping)

#define EXECUTOR_MAP_PROMISES(P, suite, arm)                                                       \
    P(suite, arm, executor_map, iterates_in_order)                                                 \
    P(suite, arm, executor_map, takes_any_chunk)                                                   \
    P(suite, arm, executor_map, accepts_no_items)                                                  \
    P(suite, arm, executor_map, delivers_what_precedes_a_failure)                                  \
    P(suite, arm, executor_map, times_out_and_goes_on)                                             \
    P(suite, arm, executor_map, can_be_given_up_early)                                             \
    P(suite, arm, executor_map, takes_private_memory)                                              \
    P(suite, arm, executor_map, runs_each_item_exactly_once)                                       \
    P(suite, arm, executor_map, belongs_to_the_process_that_opened_it)

#define IMAP_PROMISES(P, suite, arm)                                                               \
    P(suite, arm, imap, keeps_order)                                                               \
    P(suite, arm, imap, gives_each_once_unordered)                                                 \
    P(suite, arm, imap, runs_each_item_exactly_once)                                               \
    P(suite, arm, imap, accepts_an_empty_source)                                                   \
    P(suite, arm, imap, runs_beside_other_calls)                                                   \
    P(suite, arm, imap, runs_on_an_executor)                                                       \
    P(suite, arm, imap, reads_an_endless_source_no_further_than_ahead)                             \
    P(suite, arm, imap, unordered_is_not_held_up_by_one)                                           \
    P(suite, arm, imap, times_out_and_goes_on)                                                     \
    P(suite, arm, imap, goes_on_after_a_failing_task)                                              \
    P(suite, arm, imap, tells_once_that_its_source_failed)                                         \
    P(suite, arm, imap, can_be_given_up_in_the_middle)                                             \
    P(suite, arm, imap, gives_what_is_in_flight_then_is_closed)                                    \
    P(suite, arm, imap, hands_on_the_context_by_copy_and_by_address)                               \
    P(suite, arm, imap, takes_items_and_results_of_any_size)                                       \
    P(suite, arm, imap, refuses_bad_arguments_one_by_one)

#define STATS_PROMISES(P, suite, arm)                                                              \
    P(suite, arm, stats, of_workers_add_up_to_the_pools)                                           \
    P(suite, arm, stats, tell_how_much_is_in_flight)                                               \
    P(suite, arm, stats, tell_busy_from_idle)                                                      \
    P(suite, arm, stats, are_printed_for_people)                                                   \
    P(suite, arm, stats, are_printed_as_json_lines)                                                \
    P(suite, arm, stats, refuse_bad_arguments)

#define SPAWN_PROMISES(P, suite, arm)                                                              \
    P(suite, arm, spawn, squares_in_order)                                                         \
    P(suite, arm, spawn, runs_each_item_exactly_once)                                              \
    P(suite, arm, spawn, starts_a_fresh_worker_for_each_item)                                      \
    P(suite, arm, spawn, keeps_to_its_batch)                                                       \
    P(suite, arm, spawn, accepts_no_items)                                                         \
    P(suite, arm, spawn, reports_the_lowest_failing_index)                                         \
    P(suite, arm, spawn, refuses_bad_arguments)                                                    \
    P(suite, arm, spawn, tells_its_progress)                                                       \
    P(suite, arm, spawn, leaves_no_child)

/* Of processes alone: what becomes of a worker that dies, and of all when the caller dies. */
#define CRASH_PROMISES(P, suite, arm)                                                              \
    P(suite, arm, crash, map_names_the_dead_worker)                                                \
    P(suite, arm, crash, map_async_names_the_dead_worker)                                          \
    P(suite, arm, crash, apply_names_every_way_to_die)                                             \
    P(suite, arm, crash, apply_async_loses_exactly_the_call_that_died)                             \
    P(suite, arm, crash, imap_loses_exactly_the_chunk_that_died)                                   \
    P(suite, arm, crash, executor_goes_on_after_a_death)                                           \
    P(suite, arm, crash, replaces_an_idle_worker)                                                  \
    P(suite, arm, crash, survives_workers_that_die_all_at_once)                                    \
    P(suite, arm, crash, spawn_names_the_dead_worker)                                              \
    P(suite, arm, crash, ignores_the_interrupt_key)                                                \
    P(suite, arm, crash, exit_in_a_task_runs_no_handler_of_the_caller)                             \
    P(suite, arm, crash, leaves_nobody_when_the_caller_is_killed)                                  \
    P(suite, arm, crash, leaves_nobody_when_the_caller_is_killed_while_idle)                       \
    P(suite, arm, crash, undoes_all_when_a_fork_fails)                                             \
    P(suite, arm, crash, leaves_other_children_to_the_host)                                        \
    P(suite, arm, crash, works_with_ignored_children)                                              \
    P(suite, arm, crash, openmp_before_and_inside_does_not_hang)

#define STOP_PROMISES(P, suite, arm)                                                               \
    P(suite, arm, stop, times_out_exactly_the_call_that_takes_too_long)                            \
    P(suite, arm, stop, times_out_a_map)                                                           \
    P(suite, arm, stop, gives_each_item_its_time)                                                  \
    P(suite, arm, stop, cancels_what_runs_and_nothing_else)                                        \
    P(suite, arm, stop, cancels_a_map_that_runs)                                                   \
    P(suite, arm, stop, runs_a_lost_call_again)                                                    \
    P(suite, arm, stop, runs_a_lost_chunk_again)                                                   \
    P(suite, arm, stop, runs_many_lost_chunks_again)                                               \
    P(suite, arm, stop, refuses_to_retry_in_place)                                                 \
    P(suite, arm, stop, recycles_workers)                                                          \
    P(suite, arm, stop, limits_the_memory_of_a_worker)                                             \
    P(suite, arm, stop, survives_deaths_during_shutdown)                                           \
    P(suite, arm, stop, survives_deaths_during_resize)                                             \
    P(suite, arm, stop, bounds_the_rate_of_restarts)

#define RESIZE_PROMISES(P, suite, arm)                                                             \
    P(suite, arm, resize, changes_how_many_work)                                                   \
    P(suite, arm, resize, loses_nothing_that_is_in_flight)

POOL_PROMISES(DECLARES, , arm)
STOP_PROMISES(DECLARES, , arm)
RESIZE_PROMISES(DECLARES, , arm)
MEMORY_PROMISES(DECLARES, , arm)
MAP_PROMISES(DECLARES, , arm)
MAP_ASYNC_PROMISES(DECLARES, , arm)
APPLY_PROMISES(DECLARES, , arm)
APPLY_ASYNC_PROMISES(DECLARES, , arm)
CALLBACK_PROMISES(DECLARES, , arm)
EXECUTOR_SUBMIT_PROMISES(DECLARES, , arm)
EXECUTOR_MAP_PROMISES(DECLARES, , arm)
IMAP_PROMISES(DECLARES, , arm)
STATS_PROMISES(DECLARES, , arm)
SPAWN_PROMISES(DECLARES, , arm)
CRASH_PROMISES(DECLARES, , arm)

#endif
