/* connpool.c: the public face: arguments, life cycle, leases, and the connections of this process.
 *
 * Who may have a slot is the admission's affair; here a slot becomes a lease with an open
 * connection. A connection is opened by the first holder of its slot in this process, outside of
 * any lock: one that hangs keeps up its own lease only. When it cannot be opened, the slot goes
 * back at once.
 *
 * Invariant: process->connections[i] is touched only by this process's holder of slot i. The slot's
 * word, taken with acquire and freed with release, hands it from thread to thread. */
#include "fault.h"
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_CLIENTS 1024u

/* ---- life cycle --------------------------------------------------------------------------------
 */

static int check_options(const struct twin_connpool_options *options)
{
    if (!options || !options->driver)
        return TWIN_EINVAL;
    if (!options->driver->open || !options->driver->exec || !options->driver->close)
        return TWIN_EINVAL;
    if (options->connections == 0 || options->connections > TWIN_CONNPOOL_MAX_CONNECTIONS ||
        options->clients > TWIN_CONNPOOL_MAX_CLIENTS || options->ping_idle_ns < 0)
        return TWIN_EINVAL;
    switch (options->admission) {
    case TWIN_ADMIT_RECOVERING:
    case TWIN_ADMIT_BARE:
        return 0;
    case TWIN_ADMIT_FAIR:
        return TWIN_ENOTSUP;
    }
    return TWIN_EINVAL;
}

static void *map_pages(size_t size, int sharing)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

/* Undoes what map_memory() and init did; fine on a zeroed pool. */
static void free_pool(struct twin_connpool *pool)
{
    if (pool->process)
        munmap(pool->process, pool->process_bytes);
    if (pool->shared)
        munmap(pool->shared, pool->shared_bytes);
    free(pool);
}

static int map_memory(struct twin_connpool *pool, unsigned connections, unsigned clients)
{
    pool->shared_bytes = sizeof(struct connpool_shared) + connections * sizeof(struct slot) +
                         clients * sizeof(struct client);
    pool->process_bytes = sizeof(struct connpool_process) + connections * sizeof(struct connection);
    pool->shared = map_pages(pool->shared_bytes, MAP_SHARED);
    pool->process = map_pages(pool->process_bytes, MAP_PRIVATE);
    if (!pool->shared || !pool->process)
        return TWIN_ENOMEM;
    pool->clients = (struct client *)(void *)&pool->shared->slots[connections];
    /* A forked child finds zeroes here: no identity yet, no connections. Linux 4.14. */
    if (madvise(pool->process, pool->process_bytes, MADV_WIPEONFORK) != 0)
        return TWIN_ESYSTEM;
    return 0;
}

int twin_connpool_open(struct twin_connpool **result, const struct twin_connpool_options *options)
{
    struct twin_connpool *pool;
    int status = check_options(options);

    if (!result)
        return TWIN_EINVAL;
    *result = NULL;
    if (status)
        return status;
    pool = calloc(1, sizeof *pool);
    if (!pool)
        return TWIN_ENOMEM;
    pool->driver = *options->driver;
    pool->driver_context = options->driver_context;
    pool->ping_idle_ns = options->ping_idle_ns;
    pool->admission =
        options->admission == TWIN_ADMIT_BARE ? &twini_admission_bare : &twini_admission_recovering;
    unsigned clients = options->clients ? options->clients : DEFAULT_CLIENTS;
    status = map_memory(pool, options->connections, clients);
    if (status)
        goto fail;
    pool->shared->magic = CONNPOOL_MAGIC;
    pool->shared->connections = options->connections;
    pool->shared->clients = clients;
    if (sem_init(&pool->shared->permits, 1, options->connections) != 0) {
        status = TWIN_ESYSTEM;
        goto fail;
    }
    pool->opener = twini_identity(pool);
    *result = pool;
    return 0;
fail:
    free_pool(pool);
    return status;
}

/* The first call in a fresh process. Two threads may come here at once: they write the same. */
uint64_t twini_identity_slow(struct twin_connpool *pool)
{
    uint64_t identity = twini_process_self();

    atomic_store_explicit(&pool->process->identity, identity, memory_order_relaxed);
    return identity;
}

static void sleep_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 500000};

    nanosleep(&moment, NULL); /* EINTR only makes it shorter: the callers loop */
}

static void end_admission(struct twin_connpool *pool)
{
    /* order: release; pairs with the acquire of each is-closed look. Bare: one permit wakes one
     * waiter, who posts for the next. */
    atomic_store_explicit(&pool->shared->closed, 1, memory_order_release);
    twini_permit_post(pool->shared);
    twini_bell_ring_all(&pool->shared->bell);
}

int twin_connpool_shutdown(struct twin_connpool *pool, int64_t timeout_ns)
{
    int64_t deadline_ns;

    if (!pool)
        return TWIN_EINVAL;
    deadline_ns = twini_deadline_ns(twini_now_ns(), timeout_ns);
    end_admission(pool);
    while (twini_slots_active(pool->shared) > 0) {
        int64_t now_ns = twini_now_ns();

        if (pool->admission->reap)
            twini_reap_if_due(pool, now_ns);
        if (now_ns >= deadline_ns)
            return twini_slots_active(pool->shared) ? TWIN_ETIMEOUT : 0;
        sleep_a_moment();
    }
    return 0;
}

int twin_connpool_close(struct twin_connpool *pool)
{
    if (!pool)
        return 0;
    if (twini_identity(pool) == pool->opener)
        end_admission(pool);
    /* order: acquire; pairs with the release in twini_wait_end() */
    while (atomic_load_explicit(&pool->process->waiting, memory_order_acquire))
        sleep_a_moment();
    for (unsigned i = 0; i < pool->shared->connections; i++)
        if (pool->process->connections[i].handle)
            pool->driver.close(pool->process->connections[i].handle);
    pool->admission->leave(pool);
    free_pool(pool);
    return 0;
}

/* ---- connections -------------------------------------------------------------------------------
 */

static void drop_connection(struct twin_connpool *pool, struct connection *connection)
{
    pool->driver.close(connection->handle);
    connection->handle = NULL;
}

/* Makes this process's connection for the slot usable. Returns the driver's code. */
TWINI_SELDOM static int ready_connection(struct twin_connpool *pool, unsigned slot)
{
    struct connection *connection = &pool->process->connections[slot];

    if (connection->handle && pool->ping_idle_ns && pool->driver.ping &&
        twini_coarse_ns() - connection->used_ns > pool->ping_idle_ns &&
        pool->driver.ping(connection->handle) != 0)
        drop_connection(pool, connection);
    if (connection->handle)
        return 0;
    return pool->driver.open(&connection->handle, slot, pool->driver_context);
}

/* Brings the connection back to its first state for the next holder. Before that it claims the
 * release: raising the epoch makes the lease stale, so that of two threads that release the same
 * lease only one touches the connection. */
TWINI_SELDOM static int reset_connection(struct twin_connpool *pool, unsigned index, uint64_t *word)
{
    struct connection *connection = &pool->process->connections[index];
    uint64_t claimed = word_make(word_epoch(*word) + 1, word_client(*word));

    if (pool->driver.reset) {
        /* order: relaxed; it publishes nothing, the free that follows does */
        if (!atomic_compare_exchange_strong_explicit(&pool->shared->slots[index].word, word,
                                                     claimed, memory_order_relaxed,
                                                     memory_order_relaxed))
            return TWIN_EDONE;
        *word = claimed;
        if (pool->driver.reset(connection->handle) != 0)
            drop_connection(pool, connection);
    }
    if (pool->ping_idle_ns)
        connection->used_ns = twini_coarse_ns();
    return 0;
}

/* ---- leases ------------------------------------------------------------------------------------
 */

/* Checks that the lease is alive and this process's. *word is then the slot's. */
static int check_lease(struct twin_connpool *pool, const struct twin_lease *lease, uint64_t *word)
{
    if (!pool || !lease || lease->slot >= pool->shared->connections)
        return TWIN_EINVAL;
    /* relaxed: of a lease that is alive only this process can change it; of another, the compare-
     * and-swap at release decides */
    *word = atomic_load_explicit(&pool->shared->slots[lease->slot].word, memory_order_relaxed);
    if (lease->epoch == 0 || lease->epoch > word_epoch(*word))
        return lease->epoch == 0 ? TWIN_EDONE : TWIN_EINVAL;
    if (lease->epoch != word_epoch(*word) || word_client(*word) == 0)
        return TWIN_EDONE;
    return twini_is_mine(pool, *word) ? 0 : TWIN_EFORKED;
}

static int give_back(struct twin_connpool *pool, unsigned index, uint64_t word)
{
    struct slot *slot = &pool->shared->slots[index];
    uint64_t released = atomic_load_explicit(&slot->released, memory_order_relaxed);

    /* relaxed: the holder's own counter, while it still holds */
    atomic_store_explicit(&slot->released, released + 1, memory_order_relaxed);
    return pool->admission->release(pool, index, word);
}

/* As twin_connpool_acquire(), but TWIN_EAGAIN when it only looked. */
static int get_lease(struct twin_connpool *pool, struct twin_lease *lease, int64_t timeout_ns)
{
    struct slot *slot;
    uint64_t word;
    int index;

    if (!lease)
        return TWIN_EINVAL;
    *lease = (struct twin_lease){0};
    if (!pool || timeout_ns < -1)
        return TWIN_EINVAL;
    index = pool->admission->acquire(pool, timeout_ns);
    if (index < 0)
        return index;
    slot = &pool->shared->slots[index];
    lease->acquired_ns = twini_coarse_ns();
    /* relaxed: for pictures only */
    atomic_store_explicit(&slot->since_ns, lease->acquired_ns, memory_order_relaxed);
    /* relaxed: written by this thread's own compare-and-swap */
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    if (!pool->process->connections[index].handle || pool->ping_idle_ns) {
        lease->driver_code = ready_connection(pool, (unsigned)index);
        if (lease->driver_code) {
            give_back(pool, (unsigned)index, word);
            return TWIN_ETASK;
        }
    }
    lease->slot = (uint32_t)index;
    lease->epoch = word_epoch(word);
    return 0;
}

int twin_connpool_acquire(struct twin_connpool *pool, struct twin_lease *lease, int64_t timeout_ns)
{
    int status = get_lease(pool, lease, timeout_ns);

    if (status != TWIN_EAGAIN)
        return status;
    atomic_fetch_add_explicit(&pool->shared->timed_out, 1, memory_order_relaxed);
    return TWIN_ETIMEOUT;
}

int twin_connpool_try_acquire(struct twin_connpool *pool, struct twin_lease *lease)
{
    return get_lease(pool, lease, 0);
}

int twin_connpool_exec(struct twin_connpool *pool, struct twin_lease *lease, const char *statement,
                       int64_t *value)
{
    uint64_t word;
    int status = check_lease(pool, lease, &word);
    int64_t unwanted;

    if (status)
        return status;
    lease->driver_code = pool->driver.exec(pool->process->connections[lease->slot].handle,
                                           statement, value ? value : &unwanted);
    return lease->driver_code ? TWIN_ETASK : 0;
}

void *twin_connpool_connection(struct twin_connpool *pool, const struct twin_lease *lease)
{
    uint64_t word;

    return check_lease(pool, lease, &word) ? NULL : pool->process->connections[lease->slot].handle;
}

int twin_connpool_release(struct twin_connpool *pool, struct twin_lease *lease)
{
    uint64_t word;
    int status = check_lease(pool, lease, &word);

    if (status)
        return status;
    if (pool->driver.reset || pool->ping_idle_ns)
        status = reset_connection(pool, lease->slot, &word);
    if (status == 0)
        status = give_back(pool, lease->slot, word);
    *lease = (struct twin_lease){0};
    return status;
}

int twin_connpool_reap(struct twin_connpool *pool, unsigned *recovered)
{
    unsigned count;

    if (!pool)
        return TWIN_EINVAL;
    if (!pool->admission->reap)
        return TWIN_ENOTSUP;
    count = pool->admission->reap(pool);
    if (recovered)
        *recovered = count;
    return 0;
}
