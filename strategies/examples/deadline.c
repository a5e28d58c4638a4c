/* deadline.c: a grep for patterns from strangers: no line may take longer than its time.
 *
 * match() knows * and ? and goes back at each star, as many matchers do. A pattern with many stars
 * then takes years for some lines, and nobody can tell beforehand for which: only a clock can. A
 * thread that loops cannot be stopped from outside, a process can. So each line is a call in a worker
 * process, and the pool has a task_timeout_ns: the line that takes longer loses its worker
 * (TWIN_ETASKTIMEOUT), which is replaced, and no other line notices. The time begins when a worker
 * begins the line: a long queue is no reason to stop anything. Answers come in the order of lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinpool/pool.h>

enum { AHEAD = 256 /* lines in flight */, MOST_MS = 3600000 };

struct pending {
    char *line;
    size_t size;                /* getline()'s */
    struct twin_future *future; /* NULL: nothing is in flight here */
};

static int match(const char *pattern, const char *text)
{
    for (; *pattern != '*'; pattern++, text++) {
        if (*pattern == '\0' || *text == '\0')
            return *pattern == *text;
        if (*pattern != '?' && *pattern != *text)
            return 0;
    }
    for (; !match(pattern + 1, text); text++)
        if (*text == '\0')
            return 0;
    return 1;
}

static int match_line(void *result, const void *item, void *context)
{
    *(int *)result = match(context, item);
    return 0;
}

/* Starts on a line, without its newline. */
static int start(struct twin_pool *pool, const char *pattern, struct pending *pending)
{
    pending->line[strcspn(pending->line, "\n")] = '\0';
    struct twin_call call = {.task = match_line,
                             .context = pattern,
                             .context_size = strlen(pattern) + 1, /* > 0: copied with the call */
                             .item = pending->line,
                             .item_size = strlen(pending->line) + 1,
                             .result_size = sizeof(int)};
    return twin_pool_apply_async(pool, &call, &pending->future);
}

/* Waits for a line's answer, and prints the line if it matches. Returns 1 if there is no answer. */
static int finish(struct pending *pending, size_t number)
{
    int matches = 0, error = twin_future_result(pending->future, &matches, -1);
    if (error != 0)
        fprintf(stderr, "deadline: line %zu: %s\n", number, twin_strerror(error));
    else if (matches)
        puts(pending->line);
    twin_future_release(pending->future);
    pending->future = NULL;
    return error != 0;
}

/* Returns how many lines of stdin got no answer, or a twin_error. */
static int match_all(struct twin_pool *pool, const char *pattern)
{
    static struct pending ring[AHEAD];
    size_t read = 0, told = 0;
    int error = 0, stopped = 0, more = 1;
    while (more || told < read) {
        struct pending *next = &ring[read % AHEAD];
        if (more && next->future == NULL) {
            more = getline(&next->line, &next->size, stdin) >= 0;
            error = more ? start(pool, pattern, next) : 0;
            more = more && error == 0;
            read += (size_t)more;
        } else {
            stopped += finish(&ring[told % AHEAD], told + 1);
            told++;
        }
    }
    for (size_t i = 0; i < AHEAD; i++)
        free(ring[i].line);
    return error != 0 ? error : stopped;
}

int main(int argc, char **argv)
{
    struct twin_pool *pool = NULL;
    const char *bad = NULL;
    long ms = 1000;
    int i = 1;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("usage: deadline [--milliseconds=N] PATTERN < LINES   (with * and ?)") < 0;
    if (i < argc && strncmp(argv[i], "--", 2) == 0) {
        char *end = argv[i];
        if (strncmp(argv[i], "--milliseconds=", 15) == 0)
            ms = strtol(argv[i] + 15, &end, 10);
        bad = *end != '\0' || ms < 1 || ms > MOST_MS ? argv[i] : NULL;
        i++;
    }
    if (bad == NULL && argc - i != 1)
        bad = argc - i < 1 ? "no pattern" : argv[i + 1];
    if (bad != NULL) {
        fprintf(stderr, "deadline: %s: accepted are --milliseconds=1 to %d, then one pattern\n",
                bad, MOST_MS);
        return 2;
    }
    int error = twin_pool_open(&pool, &(struct twin_pool_options){.task_timeout_ns = ms * 1000000});
    error = error != 0 ? error : match_all(pool, argv[i]);
    if (error < 0 || ferror(stdin))
        fprintf(stderr, "deadline: %s\n", error < 0 ? twin_strerror(error) : "cannot read stdin");
    return (twin_pool_close(pool) | error) != 0 || ferror(stdin) || fflush(stdout) != 0;
}
