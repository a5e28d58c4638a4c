/* signals.c: how fast one process tells another: by sem_t (sleeping), by a shared word (spinning),
 * and by a slot of one cache line that carries an item there and its square back.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../clock.h"
#include "../follow.h"
#include "../workloads/square.h"
#include "limits.h"

#define IDLE_NS 20000000

/* One cache line; turn is odd while the item is there, even when the result is. */
struct slot {
    _Atomic uint64_t turn;
    int32_t item;   /* written by the parent before turn becomes odd */
    int64_t result; /* written by the child before turn becomes even */
};

struct line {
    _Alignas(64) sem_t there; /* posted by the parent, waited for by the child */
    _Alignas(64) sem_t back;
    _Alignas(64) _Atomic uint64_t ping; /* written by the parent, read by the child */
    _Alignas(64) _Atomic uint64_t pong;
    _Alignas(64) struct slot slot;
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

/* An ask returns what its round trips took, or 0: a wrong result came back. */
static uint64_t sem_ask(struct line *line, size_t count)
{
    const uint64_t start_ns = now_ns();
    for (size_t i = 0; i < count; i++) {
        sem_post(&line->there);
        wait_on(&line->back);
    }
    return now_ns() - start_ns;
}

/* After each gap both CPUs have gone idle: only the round trip is timed. */
static uint64_t sem_ask_after_gaps(struct line *line, size_t count)
{
    uint64_t took_ns = 0;
    for (size_t i = 0; i < count; i++) {
        struct timespec left = {.tv_nsec = IDLE_NS};
        while (nanosleep(&left, &left) != 0)
            continue;
        took_ns += sem_ask(line, 1);
    }
    return took_ns;
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

static uint64_t spin_ask(struct line *line, size_t count)
{
    const uint64_t start_ns = now_ns();
    for (uint64_t i = 1; i <= count; i++) {
        atomic_store_explicit(&line->ping, i, memory_order_release);
        while (atomic_load_explicit(&line->pong, memory_order_acquire) != i)
            continue;
    }
    return now_ns() - start_ns;
}

/* order: release / acquire on turn, both ways: it publishes item, then result. */
static void slot_answer(struct line *line, size_t count)
{
    struct slot *slot = &line->slot;
    for (uint64_t i = 0; i < count; i++) {
        while (atomic_load_explicit(&slot->turn, memory_order_acquire) != 2 * i + 1)
            continue;
        slot->result = square(slot->item);
        atomic_store_explicit(&slot->turn, 2 * i + 2, memory_order_release);
    }
}

static uint64_t slot_ask(struct line *line, size_t count)
{
    struct slot *slot = &line->slot;
    uint64_t sum = 0, expected = 0;
    const uint64_t start_ns = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        slot->item = (int32_t)i;
        atomic_store_explicit(&slot->turn, 2 * i + 1, memory_order_release);
        while (atomic_load_explicit(&slot->turn, memory_order_acquire) != 2 * i + 2)
            continue;
        sum += (uint64_t)slot->result;
    }
    const uint64_t took_ns = now_ns() - start_ns;
    for (uint64_t i = 0; i < count; i++)
        expected += i * i;
    return sum == expected ? took_ns : 0;
}

/* Where the two sides run; ANYWHERE leaves it to the kernel. */
enum { ANYWHERE = 2 };

static int bind_to(unsigned cpu)
{
    return cpu == ANYWHERE ? 0 : limit_bind(cpu);
}

static int child(struct line *line, size_t count, unsigned cpu, pid_t parent,
                 void (*answer)(struct line *, size_t))
{
    if (!follow_parent(parent) || bind_to(cpu) != 0)
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
static int round_trips(struct limit *limit, uint64_t (*ask)(struct line *, size_t),
                       void (*answer)(struct line *, size_t))
{
    const bool anywhere = strcmp(limit->variant, "idle_20ms") == 0;
    const unsigned other = anywhere ? ANYWHERE : strcmp(limit->variant, "same_cpu") == 0 ? 0 : 1;
    struct line *line = line_make();
    const pid_t parent = getpid();
    cpu_set_t usable;
    if (line == NULL || sched_getaffinity(0, sizeof usable, &usable) != 0) {
        limit->detail = "no shared memory or no affinity";
        return 1;
    }
    if (!anywhere && other >= (unsigned)CPU_COUNT(&usable))
        return 2;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(child(line, limit->count, other, parent, answer));
    if (pid < 0 || bind_to(anywhere ? ANYWHERE : 0) != 0) {
        limit->detail = "fork failed";
        return 1;
    }
    limit->warm_ns = ask(line, limit->count);
    while (waitpid(pid, NULL, 0) < 0)
        continue;
    limit->detail = "a result was not the square";
    return limit->warm_ns > 0 ? 0 : 3;
}

int limit_sem(struct limit *limit)
{
    const bool gaps = strcmp(limit->variant, "idle_20ms") == 0;
    return round_trips(limit, gaps ? sem_ask_after_gaps : sem_ask, sem_answer);
}

int limit_slot(struct limit *limit)
{
    return round_trips(limit, slot_ask, slot_answer);
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
