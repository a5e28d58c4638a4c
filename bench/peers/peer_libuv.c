/* peer_libuv.c: libuv's uv_queue_work(): work in a thread of its pool, then a callback on the loop.
 *
 * The round trip runs the loop until it is empty; pipelined, a bounded number of requests is in
 * flight and each one that comes back is sent out with the next item, so that requests are reused.
 * The size of the pool is read from the environment at its first use.
 * Source: libuv documentation, "Thread pool work scheduling". */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "peer.h"

enum { IN_FLIGHT = 4096 };

struct request {
    uv_work_t work;
    size_t item;
};

static struct {
    uv_loop_t loop;
    const struct peer_run *run;
    struct request *requests;
    size_t next; /* item to be sent out; only the loop's thread uses it */
    bool open, refused;
} own;

static void work(uv_work_t *work)
{
    const struct request *request = work->data;
    own.run->results[request->item] = square(own.run->items[request->item]);
}

static void back(uv_work_t *work, int status);

static void send_out(struct request *request)
{
    request->item = own.next++;
    request->work.data = request;
    if (uv_queue_work(&own.loop, &request->work, work, back) != 0)
        own.refused = true;
}

static void back(uv_work_t *work, int status)
{
    if (status != 0)
        own.refused = true;
    else if (own.next < own.run->count)
        send_out(work->data);
}

static int open_loop(const struct peer_run *run)
{
    char workers[16];
    snprintf(workers, sizeof workers, "%u", run->workers);
    own.run = run;
    own.requests = calloc(IN_FLIGHT, sizeof *own.requests);
    own.open = setenv("UV_THREADPOOL_SIZE", workers, 1) == 0 && uv_loop_init(&own.loop) == 0;
    return own.requests != NULL && own.open ? 0 : -1;
}

static int run_loop(void)
{
    return uv_run(&own.loop, UV_RUN_DEFAULT) == 0 && !own.refused ? 0 : -1;
}

/* back() finds no next item in a round trip: count is taken as reached. */
static int apply(const struct peer_run *run)
{
    struct peer_run one = *run;
    int status = 0;
    own.run = &one;
    own.next = 0;
    for (size_t i = 0; i < run->count && status == 0; i++) {
        one.count = i + 1;
        send_out(&own.requests[0]);
        status = run_loop();
    }
    own.run = run;
    return status;
}

static int apply_async(const struct peer_run *run)
{
    own.run = run;
    own.next = 0;
    for (size_t i = 0; i < IN_FLIGHT && own.next < run->count; i++)
        send_out(&own.requests[i]);
    return run_loop();
}

static void close_loop(void)
{
    if (own.open)
        (void)uv_loop_close(&own.loop);
    free(own.requests);
}

int main(int argc, char **argv)
{
    static const struct peer_way ways[] = {{"apply", open_loop, apply, close_loop},
                                           {"apply_async", open_loop, apply_async, close_loop},
                                           {0}};
    const struct peer peer = {
        .program = "peer_libuv", .version = uv_version_string(), .ways = ways};
    return peer_main(argc, argv, &peer);
}
