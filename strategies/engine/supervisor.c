/* supervisor.c: a single-threaded process, forked at open, that forks the
 * workers.
 *
 * Why a process of its own: replacements must see the memory of the day the pool was opened; nobody
 * may fork a process that has threads by then; and somebody must wait for workers without a handler
 * or a thread in the user's process. The only process that forks workers is this one.
 *
 * A death, step by step: waitid(WNOWAIT) tells it, so the pid is still taken; calls and ranges
 * are repaired; repairs + 1; the caller is rung; the pid is given back; all other sleepers are rung (one
 * who should have rung may be the dead one); the standby (standby.h) takes the number, or a replacement is
 * forked. Nothing is left when anyone is killed: the supervisor watches the caller by pidfd (PR_SET_PDEATHSIG
 * follows the thread that opened the pool, not the process: SIGCONT does no harm when that ends, and has a
 * stopped supervisor look), workers get SIGKILL when the supervisor goes, whose one thread is its process.
 * Source: pidfd_open(2), waitid(2), prctl(2), signalfd(2). */
#include "engine/supervisor.h"
#include "engine/awake.h"
#include "engine/call.h"
#include "engine/fault.h"
#include "engine/plan.h"
#include "engine/standby.h"
#include "engine/watch.h"
#include "engine/worker.h"
#include "engine/worker_process.h"
#include "strategy.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_FAILED_STARTS = 3, KILLED_STARTS = 8 };
enum { MOST_FAILED_FORKS = 100, RETRY_MS = 10, LOOK_MS = 100, QUIET_MS = 2 };

/* Deaths that nobody asked for are made up for at once while there are few, then one a millisecond:
 * a pool whose every task kills its worker does not fork for all it is worth. */
enum { BURST = 128, NS_PER_RESTART = 1000000 };

/* Why a number is without a worker. */
enum cause { NO_CAUSE, DIED, STOPPED, SPENT };

/* The supervisor's own, private to its process. */
struct supervisor {
    struct twini_supervision *of;
    struct twini_shared *shared;
    unsigned alive;
    unsigned failed_starts, failed_forks; /* in a row; a start that was killed counts a part */
    uint32_t ever_failed;                 /* starts; of those at the same time one */
    uint32_t good_starts;                 /* when a worker was buried last */
    unsigned restarts_left;               /* of the burst, at last_ns */
    int64_t last_ns;
    struct twini_standby standby;
    bool owes_fence; /* somebody died who did */
    bool starved;    /* a worker is missing because fork failed, or must wait: try again soon */
};

/* ---- births -------------------------------------------------------------- */

static _Noreturn void be_worker(const struct supervisor *me, unsigned number)
{
    twini_become_worker(me->of);
    (void)twini_worker_main(me->shared, number);
    _exit(EXIT_SUCCESS);
}

static pid_t make_process(struct supervisor *me, unsigned number)
{
    pid_t pid = twini_standby_call(&me->standby, number);
    if (pid)
        return pid;
    pid = fork();
    if (pid == 0)
        be_worker(me, number);
    if (pid > 0)
        atomic_fetch_add_explicit(&me->shared->forks, 1, memory_order_relaxed); /* a counter */
    return pid;
}

/* Returns 0 or errno. */
static int start_worker(struct supervisor *me, unsigned number)
{
    struct twini_worker_block *block = &me->shared->worker[number];
    twini_doorbell_init(&block->bell); /* a killed sleeper leaves its semaphore in no good state */
    /* relaxed: seen by the child through fork or ring, by others when it says that it works */
    atomic_store_explicit(&block->state, TWINI_STARTING, memory_order_relaxed);
    block->born_after = me->ever_failed;
    pid_t pid = make_process(me, number);
    if (pid < 0) {
        int error = errno;
        atomic_store_explicit(&block->state, TWINI_ABSENT, memory_order_relaxed);
        me->starved = true;
        me->failed_forks++;
        return error;
    }
    atomic_store_explicit(&block->pid, pid, memory_order_relaxed);
    me->failed_forks = 0;
    me->alive++;
    return 0;
}

/* Forks workers that are wanted and have never been. */
static void start_wanted(struct supervisor *me)
{
    struct twini_shared *shared = me->shared;
    /* order: acquire; pairs with release in twini_proc_want() */
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_acquire);
    uint32_t started = atomic_load_explicit(&shared->started, memory_order_relaxed); /* ours */
    for (; started < wanted; started++) {
        int error = start_worker(me, started);
        if (error == 0) {
            atomic_store_explicit(&shared->started, started + 1, memory_order_relaxed);
            continue;
        }
        if (atomic_load_explicit(&shared->opened, memory_order_relaxed) == 0) {
            shared->open_errno = error;
            /* order: release; pairs with acquire in has_opened() */
            atomic_store_explicit(&shared->opened, 2, memory_order_release);
            twini_ring_all(shared);
        }
        return;
    }
}

/* Whether a replacement may be had now. */
static bool may_restart(struct supervisor *me)
{
    int64_t now_ns = twini_now_ns(), earned = (now_ns - me->last_ns) / NS_PER_RESTART;
    if (me->restarts_left + earned >= BURST) {
        me->restarts_left = BURST;
        me->last_ns = now_ns;
    } else {
        me->restarts_left += (unsigned)earned;
        me->last_ns += earned * NS_PER_RESTART;
    }
    if (me->restarts_left == 0)
        return false;
    me->restarts_left--;
    return true;
}

static void count_restart(struct twini_worker_block *block)
{
    _Atomic uint32_t *counter = block->cause == DIED      ? &block->restarts
                                : block->cause == STOPPED ? &block->stopped
                                : block->cause == SPENT   ? &block->recycled
                                                          : NULL;
    if (counter)
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); /* a counter */
}

/* Forks a worker for each number that is wanted and has none. */
static void replace_missing(struct supervisor *me)
{
    struct twini_shared *shared = me->shared;
    uint32_t started = atomic_load_explicit(&shared->started, memory_order_relaxed); /* ours */
    /* order: acquire; pairs with release in set_wanted() */
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_acquire);
    me->starved = false;
    for (uint32_t w = 0; w < started && w < wanted; w++) {
        struct twini_worker_block *block = &shared->worker[w];
        if (atomic_load_explicit(&block->state, memory_order_relaxed) != TWINI_ABSENT)
            continue;
        if (block->cause == DIED && !may_restart(me)) {
            me->starved = true;
            continue;
        }
        if (start_worker(me, w) != 0)
            return;
        count_restart(block);
        me->standby.is_kept = me->standby.is_kept || block->cause != NO_CAUSE;
        block->cause = NO_CAUSE;
    }
    start_wanted(me);
}

/* ---- deaths -------------------------------------------------------------- */

static void forget_spinner(struct twini_shared *shared, unsigned number)
{
    for (unsigned i = 0; i < TWINI_SPIN_SLOTS; i++) {
        uint32_t owner = number + 1;
        /* relaxed: permission only */
        atomic_compare_exchange_strong_explicit(&shared->spinner[i], &owner, 0,
                                                memory_order_relaxed, memory_order_relaxed);
    }
}

/* Nobody is to ring it. Rings that it got already are made up for by those after the repair. */
static void forget_sleeper(struct supervisor *me, unsigned number)
{
    struct twini_shared *shared = me->shared;
    /* relaxed, both: it is dead */
    me->owes_fence |=
        atomic_load_explicit(&shared->worker[number].owes_fence, memory_order_relaxed);
    atomic_store_explicit(&shared->worker[number].owes_fence, false, memory_order_relaxed);
    /* order: seq_cst; as all moves of these bits */
    atomic_fetch_and_explicit(&shared->parked[number / 64], ~((uint64_t)1 << (number % 64)),
                              memory_order_seq_cst);
}

/* Whether workers can be had at all: not where they die on their way again and again. SIGKILL is rather
 * somebody's will than the initializer's fault, so more of those are borne. Who was born before the last
 * failure says nothing new: many may be killed at once. */
static void count_start(struct supervisor *me, const struct twini_worker_block *block, int state,
                        int status)
{
    bool went_well = state != TWINI_STARTING;
    uint32_t good =
        atomic_load_explicit(&me->shared->good_starts, memory_order_relaxed); /* a counter */
    if (went_well || good != me->good_starts)
        me->failed_starts = 0;
    if (!went_well && block->born_after == me->ever_failed) {
        me->ever_failed++;
        me->failed_starts += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 1 : KILLED_STARTS;
    }
    me->good_starts = good;
}

static void bury(struct supervisor *me, unsigned number, pid_t pid, int status)
{
    struct twini_shared *shared = me->shared;
    struct twini_worker_block *block = &shared->worker[number];
    forget_spinner(shared, number);
    forget_sleeper(me, number);
    twini_standby_bury(shared, number);
    twini_watch_forget(shared, number);
    TWINI_FAULT("burying");
    bool was_meant = twini_call_repair(shared, number, pid, status);
    was_meant = twini_map_repair(shared, number, pid, status) || was_meant;
    /* order: release; pairs with acquire in look_around(): what was repaired is to be seen */
    atomic_fetch_add_explicit(&shared->repairs, 1, memory_order_release);
    TWINI_FAULT("buried");
    me->alive--;
    /* order: acquire; pairs with the worker's release; it is dead, but said so before */
    int state = atomic_load_explicit(&block->state, memory_order_acquire);
    atomic_store_explicit(&block->pid, 0, memory_order_relaxed);
    if (state == TWINI_GIVEN_UP)
        return;
    block->cause = state == TWINI_SPENT ? SPENT : was_meant || state == TWINI_LEFT ? STOPPED : DIED;
    if (number >= atomic_load_explicit(&shared->wanted, memory_order_relaxed))
        block->cause = NO_CAUSE; /* one too many: it may be wanted again */
    count_start(me, block, state, status);
    atomic_store_explicit(&block->state,
                          me->failed_starts >= MOST_FAILED_STARTS * KILLED_STARTS ? TWINI_GIVEN_UP
                                                                                  : TWINI_ABSENT,
                          memory_order_release); /* as the worker's own */
}

/* Returns whether there were any. */
static bool bury_all_dead(struct supervisor *me)
{
    bool any = false;
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        int status = info.si_code == CLD_EXITED   ? info.si_status << 8
                     : info.si_code == CLD_DUMPED ? info.si_status | 0x80
                                                  : info.si_status;
        for (unsigned w = 0; w < twini_numbers(me->shared); w++)
            if (atomic_load_explicit(&me->shared->worker[w].pid, memory_order_relaxed) ==
                info.si_pid) /* ours */
                bury(me, w, info.si_pid, status);
        twini_ring_caller_anyway(me->shared); /* he may have waited for that one */
        twini_standby_died(&me->standby, info.si_pid);
        siginfo_t again;
        (void)waitid(P_PID, (id_t)info.si_pid, &again, WEXITED);
        info.si_pid = 0;
        any = true;
    }
    return any;
}

/* To all workers, or to those who run what is to be stopped. */
static void signal_workers(struct supervisor *me, int number, bool only_stopped)
{
    for (unsigned w = 0; w < twini_numbers(me->shared); w++) {
        pid_t pid =
            atomic_load_explicit(&me->shared->worker[w].pid, memory_order_relaxed); /* ours */
        if (pid > 0 && (!only_stopped || twini_is_to_die(me->shared, w)))
            (void)kill(pid, number); /* not reaped yet, so it is still ours */
    }
}

/* After deaths all workers look for what is to be done again. A barrier only where one was owed: it has to
 * wait until every other CPU answers, which takes ms where a CPU has been taken away. */
static void tell_workers(struct supervisor *me)
{
    if (me->owes_fence)
        (void)twini_make_submitter_fence(me->shared);
    me->owes_fence = false;
    twini_ring_all_workers(me->shared);
}

/* Replacements, or the end of hope. */
static void mend(struct supervisor *me)
{
    struct twini_shared *shared = me->shared;
    if (atomic_load_explicit(&shared->opened, memory_order_relaxed) == 2)
        return; /* open failed: the caller will end us */
    replace_missing(me);
    bool hopeless = me->failed_forks >= MOST_FAILED_FORKS || !me->starved;
    bool untried =
        atomic_load_explicit(&shared->started, memory_order_relaxed) == 0 && !me->starved;
    if (me->alive > 0 || !hopeless || untried)
        return;
    /* order: release; pairs with acquire in is_alive() */
    atomic_store_explicit(&shared->broken, 1, memory_order_release);
    twini_ring_all(shared);
}

/* ---- the loop ------------------------------------------------------------ */

/* What has been told by this file is known. */
static void drain(const struct pollfd *fd)
{
    char buffer[256];
    while (fd->revents && read(fd->fd, buffer, sizeof buffer) == sizeof buffer) {
    }
}

/* How long to sleep, in ms; ends what has run for too long. */
static int next_look(struct supervisor *me)
{
    int ms = twini_watch_tasks(me->shared);
    if (me->shared->task_timeout_ns)
        signal_workers(me, SIGKILL, true);
    int other = me->starved                          ? RETRY_MS
                : twini_standby_is_due(&me->standby) ? QUIET_MS
                : me->of->caller_fd < 0              ? LOOK_MS
                                                     : -1;
    return ms < 0 || (other >= 0 && other < ms) ? other : ms;
}

/* What it and its workers need. False: errno tells why not. */
static bool get_means(struct supervisor *me)
{
    if (me->shared->worker_bytes && access("/proc/self/status", R_OK)) /* limit_memory() reads it */
        return false;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    me->of->signal_fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    return me->of->signal_fd >= 0;
}

/* What there is to do; false: all is done. */
static bool supervise_once(struct supervisor *me, const struct pollfd *signals,
                           const struct pollfd *events)
{
    struct twini_shared *shared = me->shared;
    drain(signals);
    drain(events);
    if (events->revents) /* the caller may have cancelled what runs */
        signal_workers(me, SIGKILL, true);
    bool after_deaths = bury_all_dead(me);
    /* order: acquire; pairs with release in stop() of proc_runtime.c. After the burials: whoever left
     * because of it is not to be replaced */
    int phase = atomic_load_explicit(&shared->phase, memory_order_acquire);
    if (phase == TWINI_KILL)
        signal_workers(me, SIGKILL, false);
    if (phase == TWINI_LEAVE) /* whoever stopped some: the caller waits until they have left */
        signal_workers(me, SIGCONT, false);
    if (phase != TWINI_WORK)
        twini_standby_dismiss(&me->standby);
    if (phase == TWINI_WORK && after_deaths)
        tell_workers(me);
    if (phase == TWINI_WORK)
        mend(me);
    return phase == TWINI_WORK || me->alive > 0 || twini_standby_of(&me->standby);
}

_Noreturn void twini_supervise(struct twini_supervision *of)
{
    struct supervisor all_of_it = {
        .of = of, .shared = of->shared, .standby = {.of = of}, .restarts_left = BURST};
    struct supervisor *me = &all_of_it;
    me->shared->supervisor = getpid();
    twini_inside_task = true; /* nothing of the caller's may be used here */
    twini_reset_process();
    (void)prctl(PR_SET_PDEATHSIG, SIGCONT); /* may be refused: it matters to the stopped only */
    if (!get_means(me)) {
        me->shared->open_errno = errno;
        /* order: release; as in start_wanted() */
        atomic_store_explicit(&me->shared->opened, 2, memory_order_release);
        twini_ring_all(me->shared);
        _exit(EXIT_FAILURE);
    }
    start_wanted(me);
    for (;;) {
        struct pollfd fds[] = {{.fd = of->caller_fd, .events = POLLIN},
                               {.fd = me->of->signal_fd, .events = POLLIN},
                               {.fd = of->event_fd, .events = POLLIN}};
        int ms = next_look(me);
        int ready = poll(fds, 3, ms);
        if (ready < 0 && errno != EINTR)
            break;
        if (fds[0].revents || getppid() != of->caller) /* the caller is gone */
            break;
        if (!supervise_once(me, &fds[1], &fds[2]))
            _exit(EXIT_SUCCESS);
        if (ready == 0 && twini_standby_is_due(&me->standby))
            twini_standby_fork(&me->standby);
    }
    signal_workers(me, SIGKILL, false);
    twini_standby_dismiss(&me->standby);
    _exit(EXIT_FAILURE);
}
