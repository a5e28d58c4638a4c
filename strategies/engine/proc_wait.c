/* proc_wait.c: how threads of the caller's process wait.
 *
 * One of them leads: it alone sleeps on the shared bell, the others on a condition variable that
 * workers never see (a process-shared one hangs when a waiter is killed). The leader says for what
 * it wants to be rung, looks once more, then sleeps; it wakes every 4 ms while it waits, because a
 * supervisor that was killed cannot ring. An idle pool waits for nothing. */
#include "engine/awake.h"
#include "engine/submit.h"
#include "map_proc.h"

static const int64_t heartbeat_ns = 4000000, grace_ns = 500, away_ns = 500000;

void twini_proc_collect(struct twini_proc *proc)
{
    twini_collect_calls(proc, false);
    twini_map_collect(proc);
}

/* Nobody will ever work here again: gives everything in flight an outcome. Once. */
void twini_proc_break(struct twini_proc *proc)
{
    twini_proc_collect(proc);
    proc->broken = true;
    twini_abandon_calls(proc);
    twini_map_abandon(proc);
    pthread_cond_broadcast(&proc->follower);
}

/* Spins while the one call may end any moment, if a CPU is left over for the caller. Lock held, but
 * not while spinning. A worker that is awake takes the call within a fraction of a microsecond;
 * only if none has is one rung, for a ring too many leaves two workers awake and no CPU to spin
 * on. A caller who comes back after a while finds all asleep, and sleeps too: the kernel likes to
 * wake a worker on the CPU of who woke it, where it would wait for the spinning to end. Returns whether
 * the call has ended. */
static bool spin_for(struct twini_proc *proc, const struct twini_proc_future *only,
                     int64_t deadline_ns)
{
    struct twini_shared *shared = proc->shared;
    twini_hurry(shared, true);
    bool always = shared->wait == TWIN_WAIT_SPIN;
    unsigned parked = twini_count_parked(shared);
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_relaxed); /* ours */
    if (shared->wait == TWIN_WAIT_BLOCK || (!always && wanted >= shared->cpus + parked))
        return false;
    bool rung = parked >= wanted;
    if (rung)
        proc->wakes += twini_ring_for_call(shared, true);
    int64_t now = twini_now_ns(), ring_at = now + grace_ns;
    bool was_away = now - proc->waited_ns > away_ns;
    proc->waited_ns = now;
    if (rung && was_away && !always)
        return false;
    pthread_mutex_unlock(&proc->lock);
    int64_t end = now + (always ? heartbeat_ns : shared->spin_ns);
    if (end > deadline_ns)
        end = deadline_ns;
    bool ended = false;
    while (now < end) {
        for (int i = 0; i < 16 && !ended; i++) {
            twini_relax();
            ended = twini_call_has_ended(twini_future_word(proc, only));
        }
        if (ended)
            break;
        now = twini_now_ns();
        if (!rung && now >= ring_at) {
            pthread_mutex_lock(&proc->lock);
            if (twini_any_waiting(shared))
                proc->wakes += twini_ring_for_call(shared, true);
            pthread_mutex_unlock(&proc->lock);
            rung = true;
        }
    }
    pthread_mutex_lock(&proc->lock);
    proc->waited_ns = now;
    return ended;
}

static void collect_for(struct twini_proc *proc, const struct twini_proc_future *only,
                        bool thorough)
{
    if (only) {
        twini_collect_from(proc, only->line);
    } else {
        twini_collect_calls(proc, thorough);
        twini_map_collect(proc);
    }
}

/* Whoever was to wake others, or spins for them, may have been stopped; and a map may not get on, whatever
 * else the caller is rung for meanwhile. */
static void beat(struct twini_proc *proc, bool rung)
{
    struct twini_shared *shared = proc->shared;
    if (!rung && twini_any_waiting(shared))
        proc->wakes += twini_ring_workers(shared, 1);
    int64_t now_ns = twini_now_ns();
    if (now_ns - proc->beat_ns < heartbeat_ns)
        return;
    proc->beat_ns = now_ns;
    proc->wakes += twini_ring_due(shared, TWINI_MOST_WORKERS) + twini_map_beat(proc);
}

/* Sleeps until rung, the deadline or the next heartbeat. Lock held at entry and at return. */
static void doze(struct twini_proc *proc, bool (*ready)(void *), void *arg,
                 const struct twini_proc_future *only, uint64_t target, int64_t deadline_ns)
{
    struct twini_shared *shared = proc->shared;
    if (twini_any_waiting(shared))
        proc->wakes += twini_ring_for_call(shared, true);
    /* order: seq_cst; we say what we sleep for, then look once more: doorbell.c */
    atomic_store_explicit(&shared->target, target, memory_order_seq_cst);
    collect_for(proc, only, true);
    if (!ready || !ready(arg)) {
        int64_t next_ns = twini_now_ns() + heartbeat_ns;
        proc->caller_parks++;
        pthread_mutex_unlock(&proc->lock);
        bool rung =
            twini_doorbell_wait(&shared->bell, next_ns < deadline_ns ? next_ns : deadline_ns);
        pthread_mutex_lock(&proc->lock);
        beat(proc, rung);
        if (!rung && !proc->broken && !proc->carrier->alive(proc))
            twini_proc_break(proc);
    }
    atomic_store_explicit(&shared->target, 0,
                          memory_order_relaxed); /* relaxed: a ring too many at worst */
}

/* A call that has ended while we spun needs nothing of what follows, each line of which the workers would
 * have to fetch again. Lock held. */
static void lead(struct twini_proc *proc, bool (*ready)(void *), void *arg,
                 const struct twini_proc_future *only, uint64_t target, int64_t deadline_ns)
{
    proc->has_leader = true;
    if (!only || !spin_for(proc, only, deadline_ns))
        doze(proc, ready, arg, only, only ? TWINI_TARGET_CALL(only->line) : target, deadline_ns);
    proc->has_leader = false;
    pthread_cond_broadcast(&proc->follower);
}

static void follow(struct twini_proc *proc, int64_t deadline_ns)
{
    uint64_t target = atomic_load_explicit(&proc->shared->target, memory_order_relaxed);
    while (target && target != TWINI_TARGET_ANY &&
           /* order: seq_cst; as in doze(): the next look decides */
           !atomic_compare_exchange_weak_explicit(&proc->shared->target, &target, TWINI_TARGET_ANY,
                                                  memory_order_seq_cst, memory_order_relaxed)) {
    }
    int64_t next_ns = twini_now_ns() + heartbeat_ns;
    if (next_ns > deadline_ns)
        next_ns = deadline_ns;
    struct timespec until = {.tv_sec = next_ns / 1000000000, .tv_nsec = next_ns % 1000000000};
    (void)pthread_cond_clockwait(&proc->follower, &proc->lock, CLOCK_MONOTONIC, &until);
}

int twini_proc_wait(struct twini_proc *proc, bool (*ready)(void *), void *arg,
                    const struct twini_proc_future *only, uint64_t target, int64_t deadline_ns)
{
    for (bool waited = false;; waited = true) {
        collect_for(proc, only, false);
        if (ready ? ready(arg) : waited)
            return 0;
        if (deadline_ns != INT64_MAX && twini_now_ns() >= deadline_ns)
            return TWIN_ETIMEOUT;
        if (proc->has_leader)
            follow(proc, deadline_ns);
        else
            lead(proc, ready, arg, only, target, deadline_ns);
    }
}
