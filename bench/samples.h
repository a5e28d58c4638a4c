/* samples.h: the columns of samples.csv, in one list that the launcher writes by and the report
 * reads by.
 *
 * samples.csv is the only truth: a row per measurement, appended as soon as it is there, never
 * changed. A measured program (an "arm") prints records on stdout, each a run of  key=value  lines
 * closed by a line  end . The launcher adds the columns that it knows itself (marked L), copies
 * those that the arm knows (marked A), and puts every other key into the column metrics as
 * key=value;key=value. One process may print several records: phases cold, first and warm of one
 * arm.
 *
 * Values hold no comma, quote, semicolon or line break. Unknown is empty, never 0. */
#ifndef TWIN_BENCH_SAMPLES_H
#define TWIN_BENCH_SAMPLES_H

#define SAMPLE_COLUMNS(X)                                                                          \
    X(round)      /* L 0.. : arms of one round ran interleaved; ratios are made within it */       \
    X(position)   /* L place within the round */                                                   \
    X(repeat)     /* L 0, or k for the k-th repetition of a disturbed round */                     \
    X(disturbed)  /* L 1: other load was seen while this ran; kept, not used for verdicts */       \
    X(family)     /* L strategies, chunks, grain, factors, limits, connpool, peers, growth,      \
                           targets, timeline */ \
    X(backend)    /* L seq proc omp control bare; peers: python glib libuv tbb mpich */            \
    X(strategy)   /* L see bench/README.md */                                                      \
    X(n)          /* L items asked for */                                                          \
    X(n_run)      /* A items that really ran: less than n in a prefix */                           \
    X(workers)    /* L */                                                                          \
    X(chunk)      /* L auto, cpython, or items */                                                  \
    X(form)       /* L task or kernel */                                                           \
    X(memory)     /* L in_place, staged, or private (omp and seq on malloc) */                     \
    X(wait)       /* L adaptive block spin */                                                      \
    X(work_ns)    /* L busy work asked for per task on top of the square */                        \
    X(variant)    /* L what else was varied: aa (second seq), idle_20ms, packed, ... */            \
    X(phase)      /* A cold (open + call + close), first (after open), warm */                     \
    X(outcome)    /* ok single extrapolated partial_limit timeout oom_killed wrong_result    \
                           unsupported skipped: partial_limit is also a run that died or whose     \
                           call failed, limit says of what */     \
    X(elapsed_ns) /* A from the call until the last result */                                      \
    X(return_ns)  /* A from the call until it returned to the caller */                            \
    X(open_ns)    /* A */                                                                          \
    X(close_ns)   /* A */                                                                          \
    X(chosen_chunk)         /* A items */                                                          \
    X(tasks)                /* A */                                                                \
    X(claims)               /* A */                                                                \
    X(steals)               /* A */                                                                \
    X(parks)                /* A */                                                                \
    X(wakes)                /* A */                                                                \
    X(caller_parks)         /* A */                                                                \
    X(forks)                /* A */                                                                \
    X(inline_tasks)         /* A tasks that the submitting thread ran itself */                    \
    X(distinct_workers)     /* A pids or threads that ran at least one task */                     \
    X(staged_bytes)         /* A */                                                                \
    X(user_ns)              /* A CPU time, children included */                                    \
    X(sys_ns)               /* A */                                                                \
    X(minor_faults)         /* A */                                                                \
    X(voluntary_switches)   /* A */                                                                \
    X(involuntary_switches) /* A */                                                                \
    X(max_rss_kib)          /* A */                                                                \
    X(foreign_cpu_share)    /* L busy CPU time that was not ours / wall time, 0..cpus */           \
    X(steal_share)          /* L stolen CPU time / wall time */                                    \
    X(limit)                /* which limit bound a failed or partial run, in words */              \
    X(detail)               /* in words: signal, errno, the fatal line */                          \
    X(metrics)              /* everything else that the arm printed */

#endif
