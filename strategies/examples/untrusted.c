/* untrusted.c: reads files from strangers with a parser that is not to be trusted, and survives it.
 *
 * A box file is "BOX1", the number of its fields, and the fields: each a length and that many bytes
 * (numbers are four bytes, as this machine has them). parse() believes each length, as hand-written
 * parsers do: one that lies sends it to an address that does not exist, and the kernel kills the
 * process. But here each file is a call of its own, in a worker process: the file that kills it costs
 * that call alone, the worker is replaced, and its death is an answer like any other. (A lie too small
 * to leave the worker's memory goes unnoticed: isolation protects the program, not the answer.) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <twinpool/pool.h>

struct summary {
    unsigned fields;
    unsigned long long bytes;
};

/* The bug: nothing asks whether the next field is still inside the file. */
static void parse(struct summary *summary, const unsigned char *at)
{
    uint32_t count, length;
    memcpy(&count, at + 4, sizeof count);
    for (at += 8; summary->fields < count; at += sizeof length + length) {
        memcpy(&length, at, sizeof length);
        summary->fields++;
        summary->bytes += length;
    }
}

/* Its codes are errno, and -1 for what is no box file. */
static int read_box(void *result, const void *name, void *context)
{
    static unsigned char content[1 << 16]; /* each worker has its own */
    FILE *file = fopen(name, "rb");
    (void)context;
    if (file == NULL)
        return errno;
    memset(content, 0, sizeof content); /* nothing of the file before */
    size_t size = fread(content, 1, sizeof content, file);
    int error = ferror(file) ? errno : size == sizeof content ? EFBIG : 0;
    fclose(file);
    if (error == 0 && (size < 8 || memcmp(content, "BOX1", 4) != 0))
        return -1;
    if (error == 0)
        parse(result, content);
    return error;
}

/* Prints what became of one file. Returns 1 if it was lost. */
static size_t tell(const char *name, struct twin_future *future)
{
    struct summary summary = {0};
    struct twin_failure failure = {0};
    int error = twin_future_result(future, &summary, -1);
    twin_future_failure(future, &failure);
    int code = failure.task_code, status = failure.wait_status;
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    printf("%s: ", name);
    if (error == 0)
        printf("%u fields, %llu bytes\n", summary.fields, summary.bytes);
    else if (failure.kind == TWIN_FAILURE_TASK)
        printf("refused: %s\n", code < 0 ? "not a box file" : strerror(code));
    else if (signal != 0)
        printf("crashed: signal %d (%s)\n", signal, strsignal(signal));
    else
        printf("%s (exit status %d)\n", twin_strerror(error), WEXITSTATUS(status));
    return error != 0;
}

/* Submits each file, then tells of each as it completes. Counts the *lost. */
static int read_all(struct twin_pool *pool, char **names, size_t count, size_t *lost)
{
    struct twin_future **futures = calloc(count, sizeof *futures), *future = NULL;
    struct twin_completed *completed = NULL;
    int error = futures == NULL ? TWIN_ENOMEM : 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        struct twin_call call = {.task = read_box,
                                 .item = names[i],
                                 .item_size = strlen(names[i]) + 1,
                                 .result_size = sizeof(struct summary)};
        error = twin_pool_apply_async(pool, &call, &futures[i]);
    }
    error = error != 0 ? error : twin_as_completed(&completed, futures, count);
    while (error == 0 && (error = twin_completed_next(completed, &future, -1)) == 0 && future) {
        size_t i = 0;
        while (futures[i] != future)
            i++;
        *lost += tell(names[i], future);
    }
    twin_completed_release(completed);
    for (size_t i = 0; futures != NULL && i < count; i++)
        twin_future_release(futures[i]);
    free(futures);
    return error;
}

int main(int argc, char **argv)
{
    struct twin_pool *pool = NULL;
    size_t lost = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("usage: untrusted FILE...   (reads box files; ends with 1 if any is lost)") < 0;
    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "untrusted: %s: accepted are files, at least one, and --help\n",
                argc < 2 ? "nothing to read" : argv[1]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line as it comes, into a pipe too */
    int error = twin_pool_open(&pool, NULL);
    error = error != 0 ? error : read_all(pool, argv + 1, (size_t)argc - 1, &lost);
    if (error != 0)
        fprintf(stderr, "untrusted: %s\n", twin_strerror(error));
    else
        printf("%d files, %zu of them lost\n", argc - 1, lost);
    return (error | twin_pool_close(pool)) != 0 || lost != 0 || fflush(stdout) != 0;
}
