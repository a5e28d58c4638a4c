/* print_stats.c: the counters as text for people and as JSON lines for programs. One list of fields
 * serves both, and names what is printed as the header names it. */
#include "strategy.h"

/* clang-format off: a field a line */
#define POOL_FIELDS(X)                                                                             \
    X(workers)                                                                                     \
    X(queue_depth)                                                                                 \
    X(tasks)                                                                                       \
    X(chunks)                                                                                      \
    X(chunk)                                                                                       \
    X(claims)                                                                                      \
    X(steals)                                                                                      \
    X(parks)                                                                                       \
    X(spins)                                                                                       \
    X(wakes)                                                                                       \
    X(caller_parks)                                                                                \
    X(inline_tasks)                                                                                \
    X(staged_bytes)                                                                                \
    X(forks)                                                                                       \
    X(restarts)                                                                                    \
    X(stopped)                                                                                     \
    X(recycled)

#define WORKER_FIELDS(X)                                                                           \
    X(number)                                                                                      \
    X(pid)                                                                                         \
    X(tasks)                                                                                       \
    X(chunks)                                                                                      \
    X(claims)                                                                                      \
    X(steals)                                                                                      \
    X(parks)                                                                                       \
    X(spins)                                                                                       \
    X(busy_ns)                                                                                     \
    X(idle_ns)                                                                                     \
    X(restarts)                                                                                    \
    X(stopped)                                                                                     \
    X(recycled)
/* clang-format on */

struct field {
    const char *name;
    unsigned long long value;
};
#define FIELD(name) {#name, (unsigned long long)stats->name},
#define COUNT(name) +1

enum { POOL_COUNT = POOL_FIELDS(COUNT), WORKER_COUNT = WORKER_FIELDS(COUNT) };

static void pool_fields(const struct twin_stats *stats, struct field *fields)
{
    const struct field all[] = {POOL_FIELDS(FIELD)};
    for (int i = 0; i < POOL_COUNT; i++)
        fields[i] = all[i];
}

static void worker_fields(const struct twin_worker_stats *stats, struct field *fields)
{
    const struct field all[] = {WORKER_FIELDS(FIELD)};
    for (int i = 0; i < WORKER_COUNT; i++)
        fields[i] = all[i];
}

/* False: there never was a worker of that number. */
static bool get_worker(struct twin_pool *pool, unsigned worker, struct field *fields)
{
    struct twin_worker_stats stats;
    if (twin_pool_worker_stats(pool, worker, &stats) != 0)
        return false;
    worker_fields(&stats, fields);
    return true;
}

static const char *backend_of(const struct twin_pool *pool)
{
    return pool->options.backend == TWIN_OMP ? "omp" : "proc";
}

/* ---- text ---------------------------------------------------------------- */

static bool print_pool(FILE *stream, const char *backend, const struct field *fields)
{
    bool good = fprintf(stream, "pool, %s\n", backend) >= 0;
    for (int i = 0; good && i < POOL_COUNT; i++)
        good = fprintf(stream, "  %-12s %14llu\n", fields[i].name, fields[i].value) >= 0;
    return good;
}

static void widen(int *width, struct field field)
{
    int names = snprintf(NULL, 0, "%s", field.name), value = snprintf(NULL, 0, "%llu", field.value);
    if (*width < names)
        *width = names;
    if (*width < value)
        *width = value;
}

/* A column is as wide as what is widest in it, now; what has grown since is printed all the same. */
static bool print_workers(struct twin_pool *pool, FILE *stream)
{
    struct field fields[WORKER_COUNT];
    int widths[WORKER_COUNT] = {0};
    for (unsigned w = 0; get_worker(pool, w, fields); w++)
        for (int i = 0; i < WORKER_COUNT; i++)
            widen(&widths[i], fields[i]);
    bool good = fprintf(stream, "workers\n") >= 0;
    for (int i = 0; good && i < WORKER_COUNT; i++)
        good = fprintf(stream, "  %*s", widths[i], fields[i].name) >= 0;
    for (unsigned w = 0; good && get_worker(pool, w, fields); w++) {
        good = fputc('\n', stream) != EOF;
        for (int i = 0; good && i < WORKER_COUNT; i++)
            good = fprintf(stream, "  %*llu", widths[i], fields[i].value) >= 0;
    }
    return good && fputc('\n', stream) != EOF;
}

/* ---- JSON lines ---------------------------------------------------------- */

static bool print_members(FILE *stream, const struct field *fields, int count)
{
    bool good = true;
    for (int i = 0; good && i < count; i++)
        good = fprintf(stream, ",\"%s\":%llu", fields[i].name, fields[i].value) >= 0;
    return good && fprintf(stream, "}\n") >= 0;
}

static bool print_json(struct twin_pool *pool, FILE *stream, const struct field *pools)
{
    struct field fields[WORKER_COUNT];
    bool good = fprintf(stream, "{\"record\":\"pool\",\"backend\":\"%s\"", backend_of(pool)) >= 0 &&
                print_members(stream, pools, POOL_COUNT);
    for (unsigned w = 0; good && get_worker(pool, w, fields); w++)
        good = fprintf(stream, "{\"record\":\"worker\"") >= 0 &&
               print_members(stream, fields, WORKER_COUNT);
    return good;
}

/* ---- public -------------------------------------------------------------- */

int twin_pool_print_stats(struct twin_pool *pool, FILE *stream, enum twin_format format)
{
    struct twin_stats stats;
    struct field fields[POOL_COUNT];
    if (!stream || format < TWIN_TEXT || format > TWIN_JSON)
        return TWIN_EINVAL;
    int error = twin_pool_stats(pool, &stats);
    if (error)
        return error;
    pool_fields(&stats, fields);
    bool good = format == TWIN_JSON
                    ? print_json(pool, stream, fields)
                    : print_pool(stream, backend_of(pool), fields) && print_workers(pool, stream);
    return good ? 0 : twini_pool_fail_errno(pool);
}
