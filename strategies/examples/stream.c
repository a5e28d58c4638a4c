/* stream.c: hashes the lines of stdin, in order, however many come.
 *
 * twin_pool_imap() reads from a source, here read_line(), only so far ahead of what was given that
 * the workers are busy: memory stays as it is on an endless input. Its iterator gives the results in
 * the order of the lines, whichever worker was first. Lines travel in chunks: alone, the hand-out of
 * one costs more than its hash (FNV-1a). Where lines come slowly, as from a person, results wait
 * until ahead is full: ask for --ahead=1. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <twinpool/pool.h>
#include <unistd.h>

enum { LONGEST = 508, CHUNK = 7 /* less than a page of lines */, MOST_AHEAD = 65536 };

struct line {
    uint32_t length;
    char text[LONGEST];
};

static int hash(void *result, const void *item, void *context)
{
    const struct line *line = item;
    uint64_t *value = result;
    *value = 0xcbf29ce484222325;
    (void)context;
    for (uint32_t i = 0; i < line->length; i++)
        *value = (*value ^ (unsigned char)line->text[i]) * 0x100000001b3;
    return 0;
}

/* The source: 1 and a line, 0 at the end, or a negative code: that of an errno. */
static int read_line(void *item, void *arg)
{
    static char *buffer;
    static size_t size;
    struct line *line = item;
    ssize_t length = getline(&buffer, &size, stdin);
    (void)arg;
    if (length < 0)
        return ferror(stdin) ? -errno : 0;
    length -= buffer[length - 1] == '\n';
    if (length > LONGEST)
        return -EMSGSIZE; /* "Message too long" */
    line->length = (uint32_t)length;
    memcpy(line->text, buffer, (size_t)length);
    return 1;
}

/* Tells how far it is, now and then: on a terminal in one line, elsewhere in few, for a log. */
static void progress(size_t lines, int at_end)
{
    static double began, told;
    int terminal = isatty(STDERR_FILENO);
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    double now = (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
    began = began == 0 ? told = now : began;
    if (!at_end && now - told < (terminal ? 0.2 : 5))
        return;
    told = now;
    fprintf(stderr, "%s%zu lines, %.0f a second%s", terminal ? "\r\033[K" : "", lines,
            (double)lines / (now - began + 1e-9), terminal && !at_end ? "" : "\n");
}

/* Prints the hash of each line. Returns the exit status. */
static int hash_all(struct twin_iterator *iterator)
{
    struct twin_failure failure = {0};
    const void *hashes;
    size_t lines = 0, count = 0;
    int error;
    do {
        progress(lines += count, 0);
        error = twin_iterator_next(iterator, &hashes, &count, -1);
        for (size_t i = 0; error == 0 && i < count; i++)
            printf("%016" PRIx64 "\n", ((const uint64_t *)hashes)[i]);
    } while (error == 0 && count > 0 && !ferror(stdout));
    progress(lines, 1);
    twin_iterator_failure(iterator, &failure);
    int of_source = failure.kind == TWIN_FAILURE_SOURCE;
    if (error != 0)
        fprintf(stderr, "stream: line %zu: %s (accepted: %d bytes)\n", failure.index + 1,
                of_source ? strerror(-failure.task_code) : twin_strerror(error), LONGEST);
    return of_source ? 2 : error != 0;
}

int main(int argc, char **argv)
{
    struct twin_pool *pool = NULL;
    struct twin_iterator *iterator = NULL;
    long ahead = 1024;
    char *end = argc > 1 ? "?" : "";
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("usage: stream [--ahead=LINES] < LINES   (prints a hash for each)") < 0;
    if (argc == 2 && strncmp(argv[1], "--ahead=", 8) == 0)
        ahead = strtol(argv[1] + 8, &end, 10);
    if (*end != '\0' || argc > 2 || ahead < 1 || ahead > MOST_AHEAD) {
        const char *bad = argv[argc > 2 ? 2 : 1];
        fprintf(stderr, "stream: %s: accepted is --ahead=1 to %d\n", bad, MOST_AHEAD);
        return 2;
    }
    struct twin_stream stream = {.task = hash,
                                 .source = {.next = read_line},
                                 .item_size = sizeof(struct line),
                                 .result_size = sizeof(uint64_t),
                                 .chunk = ahead < CHUNK ? 1 : CHUNK,
                                 .ahead = (size_t)ahead};
    int error = twin_pool_open(&pool, NULL);
    error = error != 0 ? error : twin_pool_imap(pool, &stream, &iterator);
    if (error != 0)
        fprintf(stderr, "stream: %s\n", twin_strerror(error));
    int status = error != 0 ? 1 : hash_all(iterator);
    twin_iterator_release(iterator);
    return twin_pool_close(pool) != 0 || fflush(stdout) != 0 ? 1 : status;
}
