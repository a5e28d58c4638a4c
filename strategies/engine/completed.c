/* completed.c: iteration over futures as they complete.
 *
 * Each future that has no outcome yet gets a hook (future.h), which moves itself to the iterator's
 * list (fired.h) when it fires: nothing is ever searched, so n futures cost n steps, however many complete
 * between two looks. Duplicates are found once, at the start, in a table of addresses.
 *
 * The iterator is freed by whoever comes last, its owner or the last hook to fire: giving it up
 * early neither waits nor unhooks. It holds no references to futures: they are the owner's. */
#include "engine/fired.h"
#include "engine/plan.h"

#include <stdlib.h>

struct entry {
    struct twini_hook hook; /* first: they share an address */
    struct twin_completed *it;
    struct twin_future *future;
    bool handed_out;
};

struct twin_completed {
    struct twin_pool *pool; /* of those without an outcome at the start; NULL: none */
    struct twini_fired fired;
    _Atomic size_t references;      /* the owner's, and one for each hook that has not fired */
    size_t count, left, first_left; /* left: not handed out */
    struct entry entries[];
};

static void drop(struct twin_completed *it)
{
    /* order: acq_rel; all use of it by others happens before it is freed */
    if (atomic_fetch_sub_explicit(&it->references, 1, memory_order_acq_rel) == 1)
        free(it);
}

/* A hook's fire(): on any thread. */
static void move_to_fired(struct twini_hook *hook)
{
    struct twin_completed *it = ((struct entry *)hook)->it;
    twini_fired_put(&it->fired, hook);
    drop(it);
}

/* ---- making ---------------------------------------------------------------- */

/* An empty table of addresses: at least twice as many places as futures. */
static struct twin_future **table_make(size_t count, size_t *mask)
{
    size_t places = 2;
    while (places < 2 * count)
        places *= 2;
    *mask = places - 1;
    return calloc(places, sizeof(struct twin_future *));
}

/* False: it was there already. */
static bool table_add(struct twin_future **table, size_t mask, struct twin_future *future)
{
    size_t at = (size_t)((uintptr_t)future / 16 * 0x9e3779b97f4a7c15u >> 20) & mask;
    for (; table[at]; at = (at + 1) & mask)
        if (table[at] == future)
            return false;
    table[at] = future;
    return true;
}

static int add(struct twin_completed *it, struct twin_future *future)
{
    struct entry *entry = &it->entries[it->count];
    *entry = (struct entry){{NULL, move_to_fired}, it, future, false};
    int error = TWIN_EDONE;
    if (!twini_future_is_final(future)) {
        if (it->pool && future->pool != it->pool)
            return TWIN_EINVAL;
        it->pool = future->pool;
        if (it->pool->fork_epoch != twini_fork_epoch)
            return TWIN_EFORKED;
        /* relaxed: the hook publishes */
        atomic_fetch_add_explicit(&it->references, 1, memory_order_relaxed);
        error = twini_future_hook(future, &entry->hook);
        if (error)
            drop(it);
    }
    if (error == TWIN_EDONE)
        twini_fired_put(&it->fired, &entry->hook);
    else if (error)
        return error;
    it->count++;
    it->left++;
    return 0;
}

static int add_all(struct twin_completed *it, struct twin_future *const *futures, size_t count)
{
    size_t mask;
    struct twin_future **table = table_make(count, &mask);
    int error = table ? 0 : TWIN_ENOMEM;
    for (size_t i = 0; i < count && !error; i++)
        if (futures[i] && table_add(table, mask, futures[i]))
            error = add(it, futures[i]);
    free(table);
    return error;
}

int twin_as_completed(struct twin_completed **made, struct twin_future *const *futures,
                      size_t count)
{
    if (!made)
        return TWIN_EINVAL;
    *made = NULL;
    if ((!futures && count) || count > PTRDIFF_MAX / 2 / sizeof(struct entry))
        return TWIN_EINVAL;
    if (twini_inside_task)
        return TWIN_ENESTED;
    struct twin_completed *it = calloc(1, sizeof *it + count * sizeof it->entries[0]);
    if (!it)
        return TWIN_ENOMEM;
    atomic_init(&it->references, 1);
    int error = add_all(it, futures, count);
    if (error)
        twin_completed_release(it);
    else
        *made = it;
    return error;
}

/* ---- iterating ------------------------------------------------------------- */

/* Brings futures up to date without waiting. */
static void look(struct twin_completed *it)
{
    while (it->entries[it->first_left].handed_out)
        it->first_left++;
    struct twin_future *future = it->entries[it->first_left].future;
    if (!twini_future_is_final(future))
        future->strategy->look(future);
    twini_run_due(it->pool); /* and notices */
}

static int wait_for_one(struct twin_completed *it, int64_t timeout_ns)
{
    if (it->pool->fork_epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    if (timeout_ns == 0) {
        look(it);
        return twini_fired_any(&it->fired) ? 0 : TWIN_ETIMEOUT;
    }
    struct twini_wait wait = {
        .ready = twini_fired_any, .arg = &it->fired, .deadline_ns = twini_deadline_ns(timeout_ns)};
    return twini_wait(it->pool, &wait);
}

int twin_completed_next(struct twin_completed *it, struct twin_future **future, int64_t timeout_ns)
{
    if (!it || !future)
        return TWIN_EINVAL;
    *future = NULL;
    if (twini_inside_task)
        return TWIN_ENESTED;
    if (it->left == 0)
        return 0;
    int error = twini_fired_any(&it->fired) ? 0 : wait_for_one(it, timeout_ns);
    if (error)
        return error;
    struct entry *entry = (struct entry *)twini_fired_take(&it->fired);
    entry->handed_out = true;
    it->left--;
    *future = entry->future;
    return 0;
}

void twin_completed_release(struct twin_completed *it)
{
    if (it)
        drop(it);
}
