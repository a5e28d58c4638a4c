/* signals.c: how fast one process tells another: by sem_t (sleeping) and by a shared word
 * (spinning).
 *
 * A round trip is there and back. Placement decides what it costs: on one CPU a switch, across CPUs
 * a wake-up of an idle CPU, which in a virtual machine is the dearest of all; so it is a variant.
 * The child leaves when it has done its count, or when its parent dies (PR_SET_PDEATHSIG, set
 * before the first wait and re-checked, as the parent may be gone already). */
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../clock.h"
#include "limits.h"

struct line {
    _Alignas(64) sem_t there; /* posted by the parent, waited for by the child */
    _Alignas(64) sem_t back;
    _Alignas(64) _Atomic uint64_t ping; /* written by the parent, read by the child */
    _Alignas(64) _Atomic uint64_t pong;
};

int limit_bind(unsigned index)
{
    cpu_set_t usable, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof usable, &usable) != 0)
        return 2;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &usable) && index-- == 0) {
            CPU_SET(cpu, &one);
            return sched_setaffinity(0, sizeof one, &one) == 0 ? 0 : 2;
        }
    return 2;
}

static void wait_on(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        continue; /* EINTR: the only error of a valid semaphore */
}

static void sem_answer(struct line *line, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wait_on(&line->there);
        sem_post(&line->back);
    }
}

static void sem_ask(struct line *line, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sem_post(&line->there);
        wait_on(&line->back);
    }
}

/* order: release / acquire on both words: each hand-over publishes what was written before it. */
static void spin_answer(struct line *line, size_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        while (atomic_load_explicit(&line->ping, memory_order_acquire) != i)
            continue;
        atomic_store_explicit(&line->pong, i, memory_order_release);
    }
}

static void spin_ask(struct line *line, size_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        atomic_store_explicit(&line->ping, i, memory_order_release);
        while (atomic_load_explicit(&line->pong, memory_order_acquire) != i)
            continue;
    }
}

static int child(struct line *line, size_t count, unsigned cpu, pid_t parent,
                 void (*answer)(struct line *, size_t))
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || limit_bind(cpu) != 0)
        return 1;
    answer(line, count);
    return 0;
}

static struct line *line_make(void)
{
    struct line *line =
        mmap(NULL, sizeof *line, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (line == MAP_FAILED || sem_init(&line->there, 1, 0) != 0 || sem_init(&line->back, 1, 0) != 0)
        return NULL;
    return line;
}

/* The start of the child is inside the time: with thousands of round trips it does not show. A
 * child that cannot start would leave the parent waiting: the launcher's deadline ends that. */
static int round_trips(struct limit *limit, void (*ask)(struct line *, size_t),
                       void (*answer)(struct line *, size_t))
{
    const unsigned other = strcmp(limit->variant, "same_cpu") == 0 ? 0 : 1;
    struct line *line = line_make();
    const pid_t parent = getpid();
    cpu_set_t usable;
    if (line == NULL || sched_getaffinity(0, sizeof usable, &usable) != 0) {
        limit->detail = "no shared memory or no affinity";
        return 1;
    }
    if (other >= (unsigned)CPU_COUNT(&usable))
        return 2;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(child(line, limit->count, other, parent, answer));
    if (pid < 0 || limit_bind(0) != 0) {
        limit->detail = "fork failed";
        return 1;
    }
    const uint64_t start_ns = now_ns();
    ask(line, limit->count);
    limit->warm_ns = now_ns() - start_ns;
    while (waitpid(pid, NULL, 0) < 0)
        continue;
    return 0;
}

int limit_sem(struct limit *limit)
{
    return round_trips(limit, sem_ask, sem_answer);
}

int limit_spin(struct limit *limit)
{
    return round_trips(limit, spin_ask, spin_answer);
}

int limit_semop(struct limit *limit)
{
    struct line *line = line_make();
    if (line == NULL) {
        limit->detail = "no shared memory";
        return 1;
    }
    sem_post(&line->there);
    const uint64_t start_ns = now_ns();
    for (size_t i = 0; i < limit->count; i++) {
        wait_on(&line->there);
        sem_post(&line->there);
    }
    limit->warm_ns = now_ns() - start_ns;
    return 0;
}
