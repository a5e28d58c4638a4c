/* home.c: where workers sleep.
 *
 * The kernel wakes a sleeper on the CPU where it fell asleep, or on one that shares a cache with it. Two
 * that fell asleep on the same CPU are woken there one behind the other, while another CPU stays idle
 * until the next tick of the balancer: milliseconds, seen wherever each CPU has its cache for itself (as
 * in many virtual machines). So each worker has a home, a CPU that is no other worker's. It falls asleep
 * where it is if that is its home or can be; if it is another's, it moves to its own first, by binding
 * itself to it for a moment. Who is awake is left to the kernel, and who has bound himself stays there.
 *
 * That is for maps. Who hands out single calls does better with a CPU to himself, while the workers share
 * another: measured with apply_async, 2 workers on 2 CPUs, homes took 1.48 [1.17, 1.66] times as long, and
 * leaving the submitter's CPU 0.78 [0.68, 0.95]. So after calls a worker that would fall asleep on his CPU
 * moves to another; not while he waits for each call, for then he sleeps, too.
 *
 * A home is taken by one compare-and-swap and named by the worker's number, so whoever comes after a dead
 * worker has his. All of it is advice: a home lost or taken twice costs time alone. */
#include "engine/home.h"

#include <sched.h>

/* relaxed throughout: nothing else is ordered by it */
static bool take(_Atomic uint32_t *home, uint32_t mine)
{
    uint32_t owner = atomic_load_explicit(home, memory_order_relaxed);
    return owner == mine ||
           (owner == 0 && atomic_compare_exchange_strong_explicit(
                              home, &owner, mine, memory_order_relaxed, memory_order_relaxed));
}

static void move_to(int cpu, const cpu_set_t *all)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) == 0)
        (void)sched_setaffinity(0, sizeof *all, all); /* it was ours before */
}

/* This CPU is another's: moves to its own, or to one that is nobody's. */
static void move_away(struct twini_worker *me)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    for (int cpu = 0; me->home < 0 && cpu < TWINI_HOMES; cpu++)
        if (CPU_ISSET((size_t)cpu, &all) && take(&me->shared->home[cpu], me->number + 1))
            me->home = cpu;
    if (me->home >= 0 && CPU_ISSET((size_t)me->home, &all))
        move_to(me->home, &all);
}

void twini_go_home(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    int cpu = sched_getcpu();
    if (cpu == me->home || cpu < 0 || cpu >= TWINI_HOMES || twini_numbers(shared) > shared->cpus)
        return;
    if (!take(&shared->home[cpu], me->number + 1)) {
        move_away(me);
        return;
    }
    if (me->home >= 0)
        atomic_store_explicit(&shared->home[me->home], 0, memory_order_relaxed);
    me->home = cpu;
}

/* After single calls. */
static void make_way(struct twini_worker *me)
{
    int cpu = sched_getcpu();
    cpu_set_t all;
    /* relaxed: advice */
    if (cpu + 1 != atomic_load_explicit(&me->shared->submitter, memory_order_relaxed) ||
        sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    for (int other = 0; other < TWINI_HOMES; other++)
        if (other != cpu && CPU_ISSET((size_t)other, &all)) {
            move_to(other, &all);
            return;
        }
}

void twini_choose_cpu(struct twini_worker *me)
{
    if (me->ran_map)
        twini_go_home(me);
    else if (!atomic_load_explicit(&me->shared->hurry, memory_order_relaxed)) /* advice */
        make_way(me);
}
