/* peer_glib.c: GLib's GThreadPool, exclusive, its threads started at open.
 *
 * A GThreadPool has no results and no futures: whoever wants to know that a task is done must say
 * so himself. Here that is a counter, and for its last step a mutex and a condition variable, which
 * is what GLib's own users write. Nothing bounds what is pushed: a pass keeps all in the queue.
 * Source: GLib reference, "Thread Pools". */
#include <glib.h>

#include "peer.h"

static struct {
    GThreadPool *pool;
    const struct peer_run *run;
    GMutex mutex;
    GCond done;
    gint left; /* tasks not done; written by atomics, read under mutex by the one who waits */
} own;

/* data is the address of the item: its place says where the result goes. */
static void work(gpointer data, gpointer user)
{
    const int32_t *item = data;
    (void)user;
    own.run->results[item - own.run->items] = square(*item);
    if (g_atomic_int_dec_and_test(&own.left)) {
        g_mutex_lock(&own.mutex);
        g_cond_signal(&own.done);
        g_mutex_unlock(&own.mutex);
    }
}

static int push(const int32_t *item)
{
    return g_thread_pool_push(own.pool, (gpointer)item, NULL) ? 0 : -1;
}

static void wait_for_all(void)
{
    g_mutex_lock(&own.mutex);
    while (g_atomic_int_get(&own.left) > 0)
        g_cond_wait(&own.done, &own.mutex);
    g_mutex_unlock(&own.mutex);
}

static int open_pool(const struct peer_run *run)
{
    own.run = run;
    own.pool = g_thread_pool_new(work, NULL, (gint)run->workers, TRUE, NULL);
    return own.pool != NULL ? 0 : -1;
}

static int apply(const struct peer_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        g_atomic_int_set(&own.left, 1);
        if (push(run->items + i) != 0)
            return -1;
        wait_for_all();
    }
    return 0;
}

static int apply_async(const struct peer_run *run)
{
    g_atomic_int_set(&own.left, (gint)run->count);
    for (size_t i = 0; i < run->count; i++)
        if (push(run->items + i) != 0)
            return -1;
    wait_for_all();
    return 0;
}

static void close_pool(void)
{
    if (own.pool != NULL)
        g_thread_pool_free(own.pool, FALSE, TRUE);
}

int main(int argc, char **argv)
{
    static const struct peer_way ways[] = {{"apply", open_pool, apply, close_pool},
                                           {"apply_async", open_pool, apply_async, close_pool},
                                           {0}};
    char version[32];
    g_snprintf(version, sizeof version, "%u.%u.%u", glib_major_version, glib_minor_version,
               glib_micro_version);
    const struct peer peer = {.program = "peer_glib", .version = version, .ways = ways};
    return peer_main(argc, argv, &peer);
}
