/* control_runtime.c: the thread carrier, and the control arm made of it. Workers are threads of the
 * caller's process with every signal blocked; there is no supervisor, for a thread does not die
 * alone. */
#include "engine/control_runtime.h"
#include "engine/awake.h"
#include "engine/proc_runtime.h"
#include "engine/worker.h"
#include "map_proc.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct start {
    struct twini_shared *shared;
    unsigned number;
};

static void *be_worker(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    (void)twini_worker_main(start.shared, start.number);
    return NULL;
}

static int start_thread(struct twini_proc *proc, unsigned number)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return ENOMEM;
    *start = (struct start){.shared = proc->shared, .number = number};
    /* relaxed, both: the thread that reads them does not exist yet, or says when it works */
    atomic_store_explicit(&proc->shared->worker[number].state, TWINI_STARTING,
                          memory_order_relaxed);
    int error = pthread_create(&proc->threads[number], NULL, be_worker, start);
    if (error) {
        free(start);
        atomic_store_explicit(&proc->shared->worker[number].state, TWINI_ABSENT,
                              memory_order_relaxed);
    }
    return error;
}

/* Starts threads up to what is wanted. Returns 0 or errno. */
static int start_wanted(struct twini_proc *proc)
{
    uint32_t wanted = atomic_load_explicit(&proc->shared->wanted, memory_order_relaxed); /* ours */
    uint32_t started = atomic_load_explicit(&proc->shared->started, memory_order_relaxed);
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    for (uint32_t w = 0; w < started && w < wanted && !error; w++) {
        /* order: acquire; pairs with the worker's release: its thread ends */
        if (atomic_load_explicit(&proc->shared->worker[w].state, memory_order_acquire) !=
            TWINI_LEFT)
            continue;
        (void)pthread_join(proc->threads[w], NULL);
        error = start_thread(proc, w);
    }
    while (started < wanted && (error = start_thread(proc, started)) == 0)
        atomic_store_explicit(&proc->shared->started, ++started, memory_order_relaxed);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static int start(struct twini_proc *proc)
{
    proc->threads = calloc(TWINI_MOST_WORKERS, sizeof *proc->threads);
    if (!proc->threads)
        return TWIN_ENOMEM;
    errno = start_wanted(proc);
    return errno ? TWIN_ESYSTEM : 0;
}

static void grow(struct twini_proc *proc)
{
    (void)start_wanted(proc); /* fewer threads than wanted still do all of the work */
}

static bool is_alive(struct twini_proc *proc)
{
    (void)proc;
    return true;
}

static void stop(struct twini_proc *proc)
{
    uint32_t started =
        atomic_load_explicit(&proc->shared->started, memory_order_relaxed); /* ours */
    if (!proc->threads)
        return;
    twini_ring_all(proc->shared);
    for (uint32_t w = 0; w < started; w++)
        (void)pthread_join(proc->threads[w], NULL);
    free(proc->threads);
    proc->threads = NULL;
}

static void fini(struct twini_proc *proc)
{
    free(proc->threads); /* left only in a forked child, where the threads are not */
}

const struct twini_carrier twini_thread_carrier = {.processes = false,
                                                   .start = start,
                                                   .grow = grow,
                                                   .alive = is_alive,
                                                   .stop = stop,
                                                   .fini = fini};

static int open_on_threads(struct twin_pool *pool)
{
    return twini_proc_open_on(pool, &twini_thread_carrier);
}

static struct twini_strategy strategy;

static void make_strategy(void)
{
    strategy = twini_proc_strategy;
    strategy.open = open_on_threads;
    strategy.has_processes = false;
}

static const struct twini_strategy *control_strategy(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_strategy);
    return &strategy;
}

int twini_control_open(struct twin_pool **pool, const struct twin_pool_options *options)
{
    return twini_pool_open_with(pool, options, control_strategy(), false);
}

int twini_control_executor_open(struct twin_executor **executor,
                                const struct twin_pool_options *options)
{
    return twini_executor_open_with(executor, options, control_strategy());
}
